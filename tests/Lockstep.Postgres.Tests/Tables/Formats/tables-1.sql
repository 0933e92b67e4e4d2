SELECT pg_catalog.set_config('search_path', '', false);
CREATE SCHEMA lockstep_tables;
CREATE TABLE lockstep_tables.lockstep_directory (
    id integer NOT NULL,
    name text NOT NULL,
    epoch bigint DEFAULT 0 NOT NULL,
    state text DEFAULT '{}'::text NOT NULL
);
ALTER TABLE lockstep_tables.lockstep_directory ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME lockstep_tables.lockstep_directory_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE lockstep_tables.lockstep_quarantine (
    id bigint NOT NULL,
    table_id integer NOT NULL,
    at timestamp with time zone NOT NULL,
    byte_offset bigint NOT NULL,
    reason text NOT NULL,
    bytes bytea NOT NULL
);
ALTER TABLE lockstep_tables.lockstep_quarantine ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME lockstep_tables.lockstep_quarantine_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE lockstep_tables.lockstep_rows_1 (
    key bytea NOT NULL,
    seq bigint NOT NULL,
    born bigint NOT NULL,
    ord numeric,
    txid bigint,
    gone smallint NOT NULL,
    body text NOT NULL
);
INSERT INTO lockstep_tables.lockstep_directory OVERRIDING SYSTEM VALUE VALUES (1, 'servers', 2, '{"feed":"http://127.0.0.1:8099/servers/","feedIdentity":"fixture","cursor":"40","resume":null,"horizon":null,"lastSync":"2026-11-28T08:35:17.2120042\u002B00:00","rows":38,"tombstones":2,"sequence":80,"fields":["id","updated_at","deleted_at","name"],"dialect":1,"keyFields":["id"],"keyKinds":["Number"],"keyLayout":0,"orderField":"updated_at","orderKind":1}');
INSERT INTO lockstep_tables.lockstep_quarantine OVERRIDING SYSTEM VALUE VALUES (1, 1, '2026-11-28 08:35:15.471638+00', 2770, 'it is not valid JSON: ''nothing}'' is an invalid JSON literal. Expected the literal ''null''. LineNumber: 0 | BytePositionInLine: 23', '\x7b226964223a34312c22757064617465645f6174223a6e6f7468696e677d');
INSERT INTO lockstep_tables.lockstep_rows_1 VALUES ('\x100280000000000000013100', 1, 1, 1, NULL, 0, '{"id": 1, "updated_at": 1, "deleted_at": null, "name": "server 1"}');
INSERT INTO lockstep_tables.lockstep_rows_1 VALUES ('\x100280000000000000013200', 2, 2, 2, NULL, 0, '{"id": 2, "updated_at": 2, "deleted_at": null, "name": "server 2"}');
INSERT INTO lockstep_tables.lockstep_rows_1 VALUES ('\x100280000000000000013300', 3, 3, 3, NULL, 0, '{"id": 3, "updated_at": 3, "deleted_at": null, "name": "server 3"}');
INSERT INTO lockstep_tables.lockstep_rows_1 VALUES ('\x100280000000000000013400', 4, 4, 4, NULL, 0, '{"id": 4, "updated_at": 4, "deleted_at": null, "name": "server 4"}');
INSERT INTO lockstep_tables.lockstep_rows_1 VALUES ('\x100280000000000000013500', 5, 5, 5, NULL, 0, '{"id": 5, "updated_at": 5, "deleted_at": null, "name": "server 5"}');
INSERT INTO lockstep_tables.lockstep_rows_1 VALUES ('\x100280000000000000013600', 6, 6, 6, NULL, 0, '{"id": 6, "updated_at": 6, "deleted_at": null, "name": "server 6"}');
INSERT INTO lockstep_tables.lockstep_rows_1 VALUES ('\x100280000000000000013700', 7, 7, 7, NULL, 1, '{"id": 7, "updated_at": 7, "deleted_at": 7, "name": "server 7"}');
INSERT INTO lockstep_tables.lockstep_rows_1 VALUES ('\x100280000000000000013800', 8, 8, 8, NULL, 0, '{"id": 8, "updated_at": 8, "deleted_at": null, "name": "server 8"}');
INSERT INTO lockstep_tables.lockstep_rows_1 VALUES ('\x100280000000000000023100', 10, 10, 10, NULL, 0, '{"id": 10, "updated_at": 10, "deleted_at": null, "name": "server 10"}');
INSERT INTO lockstep_tables.lockstep_rows_1 VALUES ('\x10028000000000000002313100', 11, 11, 11, NULL, 0, '{"id": 11, "updated_at": 11, "deleted_at": null, "name": "server 11"}');
INSERT INTO lockstep_tables.lockstep_rows_1 VALUES ('\x10028000000000000002313200', 12, 12, 12, NULL, 0, '{"id": 12, "updated_at": 12, "deleted_at": null, "name": "server 12"}');
INSERT INTO lockstep_tables.lockstep_rows_1 VALUES ('\x10028000000000000002313300', 13, 13, 13, NULL, 0, '{"id": 13, "updated_at": 13, "deleted_at": null, "name": "server 13"}');
INSERT INTO lockstep_tables.lockstep_rows_1 VALUES ('\x10028000000000000002313400', 14, 14, 14, NULL, 0, '{"id": 14, "updated_at": 14, "deleted_at": null, "name": "server 14"}');
INSERT INTO lockstep_tables.lockstep_rows_1 VALUES ('\x10028000000000000002313500', 15, 15, 15, NULL, 0, '{"id": 15, "updated_at": 15, "deleted_at": null, "name": "server 15"}');
INSERT INTO lockstep_tables.lockstep_rows_1 VALUES ('\x10028000000000000002313600', 16, 16, 16, NULL, 0, '{"id": 16, "updated_at": 16, "deleted_at": null, "name": "server 16"}');
INSERT INTO lockstep_tables.lockstep_rows_1 VALUES ('\x10028000000000000002313700', 17, 17, 17, NULL, 0, '{"id": 17, "updated_at": 17, "deleted_at": null, "name": "server 17"}');
INSERT INTO lockstep_tables.lockstep_rows_1 VALUES ('\x10028000000000000002313800', 18, 18, 18, NULL, 0, '{"id": 18, "updated_at": 18, "deleted_at": null, "name": "server 18"}');
INSERT INTO lockstep_tables.lockstep_rows_1 VALUES ('\x10028000000000000002313900', 19, 19, 19, NULL, 0, '{"id": 19, "updated_at": 19, "deleted_at": null, "name": "server 19"}');
INSERT INTO lockstep_tables.lockstep_rows_1 VALUES ('\x100280000000000000023200', 20, 20, 20, NULL, 0, '{"id": 20, "updated_at": 20, "deleted_at": null, "name": "server 20"}');
INSERT INTO lockstep_tables.lockstep_rows_1 VALUES ('\x10028000000000000002323100', 21, 21, 21, NULL, 0, '{"id": 21, "updated_at": 21, "deleted_at": null, "name": "server 21"}');
INSERT INTO lockstep_tables.lockstep_rows_1 VALUES ('\x10028000000000000002323200', 22, 22, 22, NULL, 0, '{"id": 22, "updated_at": 22, "deleted_at": null, "name": "server 22"}');
INSERT INTO lockstep_tables.lockstep_rows_1 VALUES ('\x10028000000000000002323300', 23, 23, 23, NULL, 0, '{"id": 23, "updated_at": 23, "deleted_at": null, "name": "server 23"}');
INSERT INTO lockstep_tables.lockstep_rows_1 VALUES ('\x10028000000000000002323400', 24, 24, 24, NULL, 0, '{"id": 24, "updated_at": 24, "deleted_at": null, "name": "server 24"}');
INSERT INTO lockstep_tables.lockstep_rows_1 VALUES ('\x10028000000000000002323500', 25, 25, 25, NULL, 0, '{"id": 25, "updated_at": 25, "deleted_at": null, "name": "server 25"}');
INSERT INTO lockstep_tables.lockstep_rows_1 VALUES ('\x10028000000000000002323600', 26, 26, 26, NULL, 0, '{"id": 26, "updated_at": 26, "deleted_at": null, "name": "server 26"}');
INSERT INTO lockstep_tables.lockstep_rows_1 VALUES ('\x10028000000000000002323700', 27, 27, 27, NULL, 0, '{"id": 27, "updated_at": 27, "deleted_at": null, "name": "server 27"}');
INSERT INTO lockstep_tables.lockstep_rows_1 VALUES ('\x10028000000000000002323800', 28, 28, 28, NULL, 0, '{"id": 28, "updated_at": 28, "deleted_at": null, "name": "server 28"}');
INSERT INTO lockstep_tables.lockstep_rows_1 VALUES ('\x10028000000000000002323900', 29, 29, 29, NULL, 0, '{"id": 29, "updated_at": 29, "deleted_at": null, "name": "server 29"}');
INSERT INTO lockstep_tables.lockstep_rows_1 VALUES ('\x100280000000000000023300', 30, 30, 30, NULL, 0, '{"id": 30, "updated_at": 30, "deleted_at": null, "name": "server 30"}');
INSERT INTO lockstep_tables.lockstep_rows_1 VALUES ('\x10028000000000000002333100', 31, 31, 31, NULL, 0, '{"id": 31, "updated_at": 31, "deleted_at": null, "name": "server 31"}');
INSERT INTO lockstep_tables.lockstep_rows_1 VALUES ('\x10028000000000000002333200', 32, 32, 32, NULL, 0, '{"id": 32, "updated_at": 32, "deleted_at": null, "name": "server 32"}');
INSERT INTO lockstep_tables.lockstep_rows_1 VALUES ('\x10028000000000000002333300', 33, 33, 33, NULL, 0, '{"id": 33, "updated_at": 33, "deleted_at": null, "name": "server 33"}');
INSERT INTO lockstep_tables.lockstep_rows_1 VALUES ('\x10028000000000000002333400', 34, 34, 34, NULL, 0, '{"id": 34, "updated_at": 34, "deleted_at": null, "name": "server 34"}');
INSERT INTO lockstep_tables.lockstep_rows_1 VALUES ('\x10028000000000000002333500', 35, 35, 35, NULL, 0, '{"id": 35, "updated_at": 35, "deleted_at": null, "name": "server 35"}');
INSERT INTO lockstep_tables.lockstep_rows_1 VALUES ('\x10028000000000000002333600', 36, 36, 36, NULL, 0, '{"id": 36, "updated_at": 36, "deleted_at": null, "name": "server 36"}');
INSERT INTO lockstep_tables.lockstep_rows_1 VALUES ('\x10028000000000000002333700', 37, 37, 37, NULL, 0, '{"id": 37, "updated_at": 37, "deleted_at": null, "name": "server 37"}');
INSERT INTO lockstep_tables.lockstep_rows_1 VALUES ('\x10028000000000000002333800', 38, 38, 38, NULL, 0, '{"id": 38, "updated_at": 38, "deleted_at": null, "name": "server 38"}');
INSERT INTO lockstep_tables.lockstep_rows_1 VALUES ('\x10028000000000000002333900', 39, 39, 39, NULL, 0, '{"id": 39, "updated_at": 39, "deleted_at": null, "name": "server 39"}');
INSERT INTO lockstep_tables.lockstep_rows_1 VALUES ('\x100280000000000000023400', 40, 40, 40, NULL, 0, '{"id": 40, "updated_at": 40, "deleted_at": null, "name": "server 40"}');
INSERT INTO lockstep_tables.lockstep_rows_1 VALUES ('\x100280000000000000013900', 80, 9, 9, NULL, 2, '{"id": 9, "updated_at": 9, "deleted_at": null, "name": "server 9"}');
SELECT pg_catalog.setval('lockstep_tables.lockstep_directory_id_seq', 2, true);
SELECT pg_catalog.setval('lockstep_tables.lockstep_quarantine_id_seq', 1, true);
ALTER TABLE ONLY lockstep_tables.lockstep_directory
    ADD CONSTRAINT lockstep_directory_name_key UNIQUE (name);
ALTER TABLE ONLY lockstep_tables.lockstep_directory
    ADD CONSTRAINT lockstep_directory_pkey PRIMARY KEY (id);
ALTER TABLE ONLY lockstep_tables.lockstep_quarantine
    ADD CONSTRAINT lockstep_quarantine_pkey PRIMARY KEY (id);
ALTER TABLE ONLY lockstep_tables.lockstep_rows_1
    ADD CONSTRAINT lockstep_rows_1_pkey PRIMARY KEY (key);
CREATE INDEX lockstep_rows_1_seq ON lockstep_tables.lockstep_rows_1 USING btree (seq);
ALTER TABLE ONLY lockstep_tables.lockstep_quarantine
    ADD CONSTRAINT lockstep_quarantine_table_id_fkey FOREIGN KEY (table_id) REFERENCES lockstep_tables.lockstep_directory(id);
