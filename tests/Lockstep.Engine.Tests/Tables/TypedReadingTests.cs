using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Lockstep.Engine.Tables;
using Microsoft.Data.Sqlite;

namespace Lockstep.Engine.Tests.Tables;

/// <summary>Reading records as objects of a type, which a large table makes ahead of who takes them.</summary>
public sealed class TypedReadingTests : IDisposable
{
    private const int Most = 5000;

    private readonly TestTable _table = new();

    public void Dispose() => _table.Dispose();

    [Fact]
    public void Every_record_comes_once_and_in_order_whatever_its_size()
    {
        var random = new Random(1);
        // Some alone are more than a batch holds.
        var texts = Enumerable.Range(1, Most).Select(id => new string('x', id % 500 == 0 ? 300_000 : random.Next(200))).ToList();
        Fill(texts);

        var read = Read().ToList();

        Assert.Equal(Enumerable.Range(1, Most), read.Select(r => r.Id));
        Assert.Equal(texts, read.Select(r => r.Text));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(100)]
    [InlineData(257)]
    [InlineData(1000)]
    [InlineData(Most)]
    public void The_records_before_a_damaged_one_come_and_then_the_error(int damaged)
    {
        Fill();
        Sql($"UPDATE lockstep_row SET body = 'damaged' WHERE key = {damaged}");
        var read = new List<int>();

        var error = Assert.Throws<TableFileException>(() =>
        {
            foreach (var record in Read())
                read.Add(record.Id);
        });

        Assert.Contains($"the record with the key {damaged} is not a JSON object", error.Message, StringComparison.Ordinal);
        Assert.Equal(Enumerable.Range(1, damaged - 1), read);
    }

    [Theory]
    [InlineData(1, "{\"id\":1,\"text\":[]}")]
    [InlineData(2000, "{\"id\":1,\"text\":5}")]
    [InlineData(Most, "{\"id\":\"one\"}")]
    public void A_record_that_does_not_fit_the_type_is_named_by_its_key_with_what_to_do(int key, string record)
    {
        Fill();
        Sql($"UPDATE lockstep_row SET body = '{record}' WHERE key = {key}");
        var read = new List<int>();

        var error = Assert.Throws<JsonException>(() =>
        {
            foreach (var row in Read())
                read.Add(row.Id);
        });

        Assert.StartsWith(
            $"The record with the key {key} of '{_table.Path}' does not fit the type Row: ",
            error.Message,
            StringComparison.Ordinal
        );
        Assert.EndsWith("or leave such records out with a filter.", error.Message, StringComparison.Ordinal);
        Assert.NotNull(error.Path);
        Assert.Equal(Enumerable.Range(1, key - 1), read);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2000)]
    public void A_null_in_place_of_a_record_is_an_error_and_not_an_object(int key)
    {
        Fill();
        Sql($"UPDATE lockstep_row SET body = 'null' WHERE key = {key}");

        Assert.Contains($"key {key} is not", Assert.Throws<TableFileException>(() => Read().Count()).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(10)]
    [InlineData(1000)]
    public void Who_ends_early_holds_the_table_no_longer_and_has_nothing_made_any_more(int taken)
    {
        Fill();
        var made = 0;

        Assert.Equal(taken, Read(whenMade: () => Interlocked.Increment(ref made)).Take(taken).Count());

        var madeThen = Volatile.Read(ref made);
        Assert.InRange(madeThen, taken, taken + 2000);
        // Nobody else may have it open.
        _table.Writer.Dispose();
        Sql("PRAGMA journal_mode=DELETE");
        Assert.Equal(madeThen, Volatile.Read(ref made));
    }

    [Theory]
    [InlineData(10)]
    [InlineData(1000)]
    public void I10_no_record_comes_after_a_stop(int taken)
    {
        Fill();
        using var stop = new CancellationTokenSource();
        var read = 0;

        Assert.ThrowsAny<OperationCanceledException>(() =>
        {
            foreach (var _ in Read(new Table(_table.Path, stop.Token)))
            {
                if (++read == taken)
                    stop.Cancel();
            }
        });

        Assert.Equal(taken, read);
    }

    private IEnumerable<Row> Read(Table? table = null, Action? whenMade = null)
    {
        var resolver = new DefaultJsonTypeInfoResolver();
        resolver.Modifiers.Add(type =>
        {
            if (type.Type == typeof(Row))
                type.OnDeserialized = _ => whenMade?.Invoke();
        });
        var options = new JsonSerializerOptions { TypeInfoResolver = resolver };
        return (table ?? _table.Table).Read((JsonTypeInfo<Row>)options.GetTypeInfo(typeof(Row)));
    }

    private void Fill(List<string>? texts = null) =>
        _table.Apply(Enumerable.Range(1, Most).Select(id => $$"""{"id":{{id}},"updated_at":{{id}},"text":"{{texts?[id - 1]}}"}"""));

    private void Sql(string sql)
    {
        using var connection = new SqliteConnection($"Data Source={_table.Path};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    private sealed class Row
    {
        [JsonPropertyName("id")]
        public int Id { get; set; }

        [JsonPropertyName("text")]
        public string Text { get; set; } = "";
    }
}
