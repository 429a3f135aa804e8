-- Waits until a collection is in a state with an error, LIKE; fails with what it is in instead.
CREATE PROCEDURE must_become(collection text, wanted_state text, wanted_error text) LANGUAGE plpgsql AS $$
DECLARE
	until timestamptz := clock_timestamp() + '60 s';
	found record;
BEGIN
	LOOP
		SELECT state, last_error INTO found FROM vector_fdw.stat_collections WHERE name = collection;
		EXIT WHEN found.state = wanted_state AND coalesce(found.last_error, '') LIKE wanted_error;
		IF clock_timestamp() > until THEN
			RAISE '% %', found.state, found.last_error;
		END IF;
		PERFORM pg_sleep(0.02);
	END LOOP;
END $$;
