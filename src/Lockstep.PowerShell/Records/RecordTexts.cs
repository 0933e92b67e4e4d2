using System.Collections;
using System.Management.Automation;
using System.Text;

namespace Lockstep.Records;

/// <summary>A user's records (objects, hashtables, or strings with a JSON object each), collected as JSON.</summary>
internal sealed class RecordTexts : IEnumerable<string>
{
    private readonly RecordSerializer _serializer = new();
    private readonly List<string> _texts = [];

    public int Count => _texts.Count;

    /// <exception cref="Errors.UnsuitableObjectException">It cannot be written as a record.</exception>
    public void Add(object? record) => _texts.Add(TextOf(record) ?? Encoding.UTF8.GetString(_serializer.Serialize(record).Span));

    public IEnumerator<string> GetEnumerator() => _texts.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>The text given by a user in place of an object; null for anything else.</summary>
    public static string? TextOf(object? record) => record as string ?? (record as PSObject)?.BaseObject as string;
}
