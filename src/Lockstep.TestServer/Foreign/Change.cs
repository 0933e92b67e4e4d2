using System.Text.Json.Nodes;

namespace Lockstep.TestServer.Foreign;

/// <summary>One change of one record. Immutable except for the link to its successor.</summary>
internal sealed class Change(
    int sequence,
    string key,
    ReadOnlyMemory<byte> json,
    ReadOnlyMemory<byte> given,
    bool isRemoval,
    Change? previous
)
{
    private volatile Change? _next;

    /// <summary>Counts from 1 in order of arrival.</summary>
    public int Sequence { get; } = sequence;

    /// <summary>The record's key, as text.</summary>
    public string Key { get; } = key;

    /// <summary>The whole record after the change; for a removal, its last state.</summary>
    public ReadOnlyMemory<byte> Json { get; } = json;

    /// <summary>What the test supplied: only the changed fields, if the dialect merges records.</summary>
    public ReadOnlyMemory<byte> Given { get; } = given;

    /// <summary>Whether the record is gone.</summary>
    public bool IsRemoval { get; } = isRemoval;

    /// <summary>The previous change of the same record.</summary>
    public Change? Previous { get; } = previous;

    /// <summary>The next change of the same record; null while this is the newest.</summary>
    public Change? Next
    {
        get => _next;
        internal set => _next = value;
    }

    /// <summary>Whether the record did not exist before.</summary>
    public bool IsCreation => !IsRemoval && Previous is null or { IsRemoval: true };

    /// <summary>Whether it is the record's newest change up to a sequence.</summary>
    public bool IsNewestAt(int sequence) => Sequence <= sequence && (Next is null || Next.Sequence > sequence);

    /// <summary>
    /// What a client that has everything up to a sequence still needs of this record: the fields that changed, or all fields if it is new.
    /// </summary>
    public ReadOnlyMemory<byte> Since(int sequence)
    {
        var patch = JsonBody.Read(Given);
        for (var change = this; ; change = change.Previous)
        {
            if (change.IsCreation)
                return Json;
            if (change.Previous is not { } before || before.Sequence <= sequence)
                return JsonBody.Write(patch);
            var older = JsonBody.Read(before.Given);
            JsonBody.LayOver(older, patch);
            patch = older;
        }
    }

    /// <summary>A copy of the record that the caller may change.</summary>
    public JsonObject ToObject() => JsonBody.Read(Json);
}
