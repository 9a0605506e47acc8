-- The sweep finds the files of an organisation that is no more.
CREATE INDEX files_organisation ON files (organisation, id) WHERE state = 'stored' AND organisation IS NOT NULL;
