using System.Globalization;

namespace Lockstep.Postgres.Tests.Zoo;

/// <summary>A table of the zoo, and how to write its rows: SQL in which {k} is a number that makes a key and {n} any other.</summary>
/// <param name="Name">With its schema.</param>
/// <param name="Key">Its columns of the key and their values.</param>
/// <param name="Columns">Its other columns and their values.</param>
internal sealed record ZooTable(string Name, (string Name, string Value)[] Key, params (string Name, string Value)[] Columns)
{
    public static IReadOnlyList<ZooTable> All { get; } =
    [
        new("music.artist", [("artist_id", "{k}")], ("name", "'ärtist ' || {n}")),
        new("music.album", [("album_id", "{k} + 9007199254740993")], ("title", "'t{n}'"), ("artist_id", One("artist_id", "music.artist"))),
        new("music.genre", [("genre_id", "{k}")], ("name", "nullif('g{n}', 'g7')")),
        new(
            "music.track",
            [("track_id", "{k}")],
            ("name", "E'a\"b\\\\c\\n{n}'"),
            ("album_id", One("album_id", "music.album")),
            ("genre_id", One("genre_id", "music.genre")),
            ("milliseconds", "{n} * 997"),
            ("unit_price", "{n} / 100.0"),
            // Larger than what fits in the row, so that the stream leaves it out if it has not changed.
            ("lyrics", "(SELECT string_agg(md5((g * {n})::text), '') FROM generate_series(1, 300) g)")
        ),
        new("music.playlist", [("playlist_id", "md5('{k}')::uuid")], ("name", "'p{n}'")),
        new(
            "music.playlist_track",
            [("playlist_id", "md5('{k}')::uuid"), ("track_id", "{k} % 7 + 1")],
            (
                "added",
                "CASE {n} % 5 WHEN 0 THEN 'infinity' ELSE '2026-03-29 01:59:59.999999+01'::timestamptz + {n} * interval '1 minute' END"
            )
        ),
        new(
            "music.employee",
            [("employee_id", "{k}")],
            ("last_name", "'e{n}'"),
            ("reports_to", One("employee_id", "music.employee")),
            ("photo", "decode(repeat(md5('{n}'), {n} % 200), 'hex')")
        ),
        new(
            "trade.customer",
            [("customer_id", "upper(left(md5('{k}'), 1 + {k} % 5))")],
            ("company", "'c{n}'"),
            ("home", "ROW('s {n}', 'z{n}')::trade.address"),
            ("phones", "ARRAY['{n}', NULL, 'a,b', '\"{n}']")
        ),
        new(
            "trade.category",
            [("name", "'cat ' || chr(200 + {k} % 40)")],
            ("picture", "NULLIF('\\x00ff'::bytea, decode(lpad(to_hex({n} % 2), 2, '0'), 'hex'))"),
            ("details", "jsonb_build_object('n', {n}, 'big', 12345678901234567890.5, 'deep', jsonb_build_array(NULL, true, '{}'::jsonb))")
        ),
        new(
            "trade.product",
            [("product_id", "{k}")],
            ("name", "'p{n}'"),
            ("category", One("name", "trade.category")),
            ("price", "CASE {n} % 9 WHEN 0 THEN 'NaN'::numeric ELSE {n} * 1.10 END"),
            ("weight", "CASE {n} % 7 WHEN 0 THEN 'NaN'::real WHEN 1 THEN 'Infinity' ELSE {n} / 3.0::real END"),
            ("volume", "CASE {n} % 7 WHEN 0 THEN '-Infinity'::float8 ELSE {n} * 1e-300 END"),
            ("in_stock", "{n} % 3 = 0")
        ),
        new(
            "trade.orders",
            [("order_id", "{k}")],
            ("customer_id", One("customer_id", "trade.customer")),
            ("ordered", "CASE {n} % 11 WHEN 0 THEN 'infinity'::date ELSE '2025-12-20'::date + {n} % 30 END"),
            ("shipped", "'2026-01-01 00:00:00.000001'::timestamp + {n} * interval '1 s'"),
            ("wait", "make_interval(months => {n} % 20, days => {n} % 40, secs => {n} / 7.0)"),
            ("freight", "({n} / 100.0)::numeric::money")
        ),
        new(
            "trade.order_detail",
            [("order_id", "{k}"), ("product_id", "{k} % 5")],
            ("quantity", "{n}"),
            ("discount", "{n}::numeric / 3"),
            ("remarks", "'<r>{n}</r>'::xml")
        ),
        new("trade.region", [("region_date", "'2026-01-01'::date + {k} % 9"), ("region_no", "{k} + 0.500")], ("name", "'r{n}'")),
        new(
            "rental.film",
            [("film_id", "{k}")],
            ("title", "'film {n} Ünder'"),
            ("release_year", "1950 + {n} % 70"),
            ("rating", "(enum_range(NULL::rental.rating))[1 + {n} % 3]"),
            ("features", "ARRAY['x', 'y{n}']"),
            ("stock", "ARRAY[[{n}, 1], [2, NULL]]")
        ),
        new(
            "rental.actor",
            [("actor_id", "{k}")],
            ("name", "'a{n}'"),
            ("address", "'10.0.0.0/8'::inet + {n}"),
            ("hardware", "'08:00:2b:01:02:03'::macaddr"),
            ("flags", "({n} % 256)::bit(8)")
        ),
        new("rental.film_actor", [("actor_id", "{k}"), ("film_id", "{k} % 6")], ("role", "'r{n}'")),
        new(
            "rental.rental",
            [("rental_id", "{k}")],
            ("period", "tsrange('2026-01-01'::timestamp, '2026-01-01'::timestamp + {n} * interval '1 h', '[]')"),
            ("days", "int4range({n}, {n} + 5, '(]')"),
            ("place", "point({n}, 0.1)"),
            ("shape", "'((0,0),(0,{n}),(1,1))'::polygon"),
            ("stay", "int8multirange(int8range(0, 1 + {n}), int8range(2000000, 3000000))")
        ),
        new("rental.payment", [("payment_id", "{k}"), ("paid", "'2025-12-25'::date + {k} % 14")], ("amount", "{n} / 100.0")),
        new("rental.cold_shelf", [("shelf_id", "{k}")], ("code", "'c{n}'"), ("degrees", "-{n}")),
    ];

    private static string One(string column, string table) =>
        $"(SELECT {column} FROM {table} ORDER BY md5({column}::text || '{{n}}') LIMIT 1)";

    /// <summary>Writes a row, replacing the one with the same key if there is one.</summary>
    public string Upsert(int k, int n) =>
        Fill(
            $"INSERT INTO {Name} ({Names(Key)}, {Names(Columns)}) VALUES ({Values(Key)}, {Values(Columns)}) ON CONFLICT "
                + $"({Names(Key)}) DO UPDATE SET "
                + string.Join(", ", Columns.Select(c => $"{c.Name} = EXCLUDED.{c.Name}")),
            k,
            n
        );

    /// <summary>Changes one column of the rows of some keys.</summary>
    public string Update(int k, int n)
    {
        var (name, value) = Columns[n % Columns.Length];
        return Fill($"UPDATE {Name} SET {name} = {value} WHERE {Is(k)} OR {Is(k + 1)}", k, n);
    }

    /// <summary>Gives a row another key.</summary>
    public string Move(int k, int to) =>
        Fill($"UPDATE {Name} SET ", k, 0)
        + string.Join(", ", Key.Select(c => Fill($"{c.Name} = {c.Value}", to, 0)))
        + $" WHERE {Is(k)} AND NOT EXISTS (SELECT FROM {Name} WHERE {Is(to)})";

    public string Delete(int k) => $"DELETE FROM {Name} WHERE {Is(k)}";

    private string Is(int k) => "(" + string.Join(" AND ", Key.Select(c => Fill($"{c.Name} = {c.Value}", k, 0))) + ")";

    private static string Names((string Name, string Value)[] columns) => string.Join(", ", columns.Select(c => c.Name));

    private static string Values((string Name, string Value)[] columns) => string.Join(", ", columns.Select(c => c.Value));

    private static string Fill(string sql, int k, int n) =>
        sql.Replace("{k}", k.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal)
            .Replace("{n}", n.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal);
}
