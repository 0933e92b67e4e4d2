using System.ComponentModel;
using System.Text;
using System.Text.Json;
using Lockstep.TestServer.Faults.Stages;
using Lockstep.TestServer.Feeds;

namespace Lockstep.TestServer.Faults;

/// <summary>Gives the records of a group the order value of its first one.</summary>
[Description("Gives neighbouring records the same order value.")]
public sealed class EqualOrderFault : Fault
{
    /// <summary>How many neighbours share a value.</summary>
    [Description("How many neighbours share a value. Default: 2.")]
    public int Group { get; init; } = 2;

    internal override string Describe() => $"Give every {Group} records the same order value";

    internal override string? Misfit(IFeed feed) => feed.OrderField is null ? "its records are ordered by arrival, not by a field" : null;

    internal override void Apply(FaultedResponse response) =>
        response.AddToRecords(new Equal(this, Encoding.UTF8.GetBytes(response.Feed.OrderField!)));

    internal override void Validate()
    {
        base.Validate();
        if (Group < 2)
            throw new ArgumentException($"Group must be at least 2, not {Group}.");
    }

    private sealed class Equal(EqualOrderFault fault, byte[] field) : RecordStage
    {
        private ReadOnlyMemory<byte> _value;

        public override bool MayHoldBack => false;

        protected override ValueTask RecordAsync(Piece record, int number, CancellationToken cancellationToken)
        {
            if (Find(record.Bytes.Span) is { } value)
            {
                if ((number - 1) % fault.Group == 0 || _value.IsEmpty)
                {
                    _value = record.Bytes[value];
                }
                else
                {
                    record = record with
                    {
                        Bytes = (byte[])
                            [.. record.Bytes.Span[..value.Start.Value], .. _value.Span, .. record.Bytes.Span[value.End.Value..]],
                    };
                }
            }
            return Next.WriteAsync(record, cancellationToken);
        }

        /// <summary>Where the order field's value is.</summary>
        private Range? Find(ReadOnlySpan<byte> json)
        {
            Utf8JsonReader reader = new(json);
            reader.Read();
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var found = reader.ValueTextEquals(field);
                reader.Read();
                var start = (int)reader.TokenStartIndex;
                reader.Skip();
                if (found)
                    return start..(int)reader.BytesConsumed;
            }
            return null;
        }
    }
}
