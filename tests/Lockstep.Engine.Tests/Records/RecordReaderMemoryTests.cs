using System.Text;
using Lockstep.Engine.Records;

namespace Lockstep.Engine.Tests.Records;

[Collection(nameof(MeasuresMemory))]
public sealed class RecordReaderMemoryTests
{
    [Fact]
    [Trait("Invariant", "I8")]
    public void I8_names_that_are_data_do_not_stay_in_memory()
    {
        var reader = new RecordReader(new Forgetful());
        void ReadMany(int count)
        {
            for (var i = 0; i < count; i++)
                reader.Read(Encoding.UTF8.GetBytes($$"""{"{{Guid.NewGuid()}}":1,"{{Guid.NewGuid()}}":2}"""));
        }

        ReadMany(50_000);
        var before = GC.GetTotalMemory(forceFullCollection: true);
        ReadMany(100_000);
        var grown = GC.GetTotalMemory(forceFullCollection: true) - before;

        // If they were kept, they would take more than 40 MB.
        Assert.True(grown < 20_000_000, $"{grown:N0} bytes more after 100,000 further records.");
    }

    private sealed class Forgetful : IRecordFactory
    {
        public object Create(FieldNames names, ReadOnlySpan<object?> values, int depth) => names.Count;
    }
}
