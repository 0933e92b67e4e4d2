using Lockstep.Engine.Dialects;
using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;

namespace Lockstep.Engine.Sync;

/// <summary>A transform returned something other than one object with the record's key, or nothing at all.</summary>
public sealed class TransformException : LockstepException
{
    /// <summary>Creates the error.</summary>
    /// <param name="key">The record's key.</param>
    /// <param name="reason">What is wrong with the output, as a clause.</param>
    public TransformException(RecordKey key, string reason)
        : base(
            ErrorKind.Transform,
            $"The transform of the record {key} failed: {reason}.",
            "Return from the transform exactly one object with the same key, or nothing to skip the record."
        ) => Key = key;

    /// <summary>The record's key.</summary>
    public RecordKey Key { get; }
}

/// <summary>Puts rewritten records back into their batch: each must be an object and have the key that it had.</summary>
internal sealed class TransformedRecords(IReadOnlyList<string> knownFields)
{
    private RecordParser? _parser;
    private ItemReader? _items;

    public void Take(TransformableRecord record, RecordBatch batch, RecordShape shape)
    {
        ref var entry = ref batch[record.Index];
        if (record.IsSkipped)
        {
            entry.Flags |= EntryFlags.Deleted;
            return;
        }

        if (shape.Dialect == Dialect.Foreign)
        {
            TakeItem(record, batch, shape);
            return;
        }

        if (_parser?.Shape != shape)
            _parser = new RecordParser(shape, knownFields);
        var json = record.Record.Span;
        if (!_parser.TryReadKey(json, out var rewritten))
            throw new TransformException(record.Key, _parser.Reason);
        if (!batch.HasKey(entry, rewritten))
            throw new TransformException(record.Key, "its output has another key");
        if (record.IsReplaced)
            batch.ReplaceBody(record.Index, json);
    }

    public IReadOnlyList<string> TakeNewFields() => (_parser?.Fields ?? _items?.Fields)?.TakeNew() ?? [];

    /// <summary>The same for a record of another server, whose key may be nested in it.</summary>
    private void TakeItem(TransformableRecord record, RecordBatch batch, RecordShape shape)
    {
        _items ??= new ItemReader(shape, knownFields);
        var rules = new DialectRules
        {
            Key = [.. shape.KeyFields.Select(field => new KeyRule(field, Place.Parse(field), IsOfItem: false))],
        };
        var item = new ItemPlaces();
        item.Item.Read(record.Record.Span);
        if (_items.Read(rules, item, signs: false, out var rewritten) != ItemKind.Record)
            throw new TransformException(record.Key, _items.Reason);
        if (!batch.HasKey(batch[record.Index], rewritten))
            throw new TransformException(record.Key, "its output has another key");
        if (record.IsReplaced)
            batch.ReplaceBody(record.Index, record.Record.Span);
    }
}
