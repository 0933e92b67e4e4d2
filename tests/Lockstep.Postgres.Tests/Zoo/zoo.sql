-- Three schemas after Chinook, Northwind and Pagila, written for the zoo: every kind of key, type and relation that they have.
CREATE SCHEMA music;
CREATE SCHEMA trade;
CREATE SCHEMA rental;

CREATE TABLE music.artist (artist_id int PRIMARY KEY, name text COLLATE "C");
CREATE TABLE music.album (album_id bigint PRIMARY KEY, title varchar(160) NOT NULL, artist_id int REFERENCES music.artist ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TABLE music.genre (genre_id smallint PRIMARY KEY, name varchar(120));
CREATE TABLE music.track (
    track_id int PRIMARY KEY, name text, album_id bigint REFERENCES music.album ON DELETE SET NULL ON UPDATE CASCADE,
    genre_id smallint REFERENCES music.genre ON DELETE SET NULL, milliseconds int, unit_price numeric(10, 2),
    seconds int GENERATED ALWAYS AS (milliseconds / 1000) STORED, lyrics text);
CREATE TABLE music.playlist (playlist_id uuid PRIMARY KEY, name text);
CREATE TABLE music.playlist_track (
    playlist_id uuid NOT NULL REFERENCES music.playlist ON DELETE CASCADE, track_id int NOT NULL REFERENCES music.track ON DELETE CASCADE ON UPDATE CASCADE,
    added timestamptz, PRIMARY KEY (playlist_id, track_id));
CREATE TABLE music.employee (employee_id int PRIMARY KEY, last_name text, reports_to int REFERENCES music.employee ON DELETE SET NULL ON UPDATE CASCADE, photo bytea);
ALTER TABLE music.employee REPLICA IDENTITY FULL;

CREATE TYPE trade.address AS (street text, zip char(6));
CREATE DOMAIN trade.price AS numeric CHECK (VALUE >= 0 OR VALUE = 'NaN');
CREATE TABLE trade.customer (customer_id char(5) PRIMARY KEY, company text, home trade.address, phones text[]);
CREATE TABLE trade.category (name text PRIMARY KEY, picture bytea, details jsonb);
CREATE TABLE trade.product (
    product_id bigint PRIMARY KEY, name text, category text REFERENCES trade.category ON UPDATE CASCADE ON DELETE SET NULL, price trade.price,
    weight real, volume double precision, in_stock boolean);
CREATE TABLE trade.orders (order_id int PRIMARY KEY, customer_id char(5) REFERENCES trade.customer ON DELETE SET NULL, ordered date, shipped timestamp, wait interval, freight money);
CREATE TABLE trade.order_detail (
    order_id int NOT NULL, product_id bigint NOT NULL, quantity int, discount numeric, remarks xml, PRIMARY KEY (product_id, order_id));
CREATE TABLE trade.region (region_date date, region_no numeric(20, 3), name text, PRIMARY KEY (region_date, region_no));
CREATE VIEW trade.expensive AS SELECT product_id, name, price FROM trade.product WHERE price > 500;

CREATE TYPE rental.rating AS ENUM ('G', 'PG', 'R');
CREATE DOMAIN rental.year AS int CHECK (VALUE BETWEEN 1901 AND 2155);
CREATE TABLE rental.film (
    film_id int PRIMARY KEY, title text, release_year rental.year, rating rental.rating, features text[], stock int[][], words tsvector, last_update timestamptz);
CREATE FUNCTION rental.touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    NEW.words := to_tsvector('simple', coalesce(NEW.title, ''));
    NEW.last_update := '2026-01-01'::timestamptz + NEW.film_id * interval '1 hour';
    RETURN NEW;
END $$;
CREATE TRIGGER touch BEFORE INSERT OR UPDATE ON rental.film FOR EACH ROW EXECUTE FUNCTION rental.touch();
CREATE TABLE rental.actor (actor_id int PRIMARY KEY, name text, address inet, hardware macaddr, flags bit(8));
CREATE TABLE rental.film_actor (actor_id int NOT NULL, film_id int NOT NULL, role text, PRIMARY KEY (actor_id, film_id));
CREATE TABLE rental.rental (rental_id bigint PRIMARY KEY, period tsrange, days int4range, place point, shape polygon, stay int8multirange);
CREATE TABLE rental.payment (payment_id int NOT NULL, paid date NOT NULL, amount numeric(12, 2), PRIMARY KEY (payment_id, paid)) PARTITION BY RANGE (paid);
CREATE TABLE rental.payment_2025 PARTITION OF rental.payment FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE rental.payment_rest PARTITION OF rental.payment DEFAULT;
CREATE TABLE rental.shelf (shelf_id int PRIMARY KEY, code text);
CREATE TABLE rental.cold_shelf (degrees int, PRIMARY KEY (shelf_id)) INHERITS (rental.shelf);
CREATE MATERIALIZED VIEW rental.film_list AS SELECT film_id, title, rating FROM rental.film;
CREATE UNIQUE INDEX ON rental.film_list (film_id);
