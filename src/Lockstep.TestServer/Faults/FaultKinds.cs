using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using Lockstep.TestServer.Parts;

namespace Lockstep.TestServer.Faults;

/// <summary>
/// The kinds of fault there are, by name: PowerShell, scenario files and the control path all create faults from them. Immutable.
/// </summary>
public static class FaultKinds
{
    private static readonly Dictionary<Type, PartKind> ByType = new([
        Kind<ChunkHeaderFault>(),
        Kind<CompressFault>(),
        Kind<ContentLengthFault>(),
        Kind<CursorExpiredFault>(),
        Kind<CutFault>(),
        Kind<DripFault>(),
        Kind<DuplicateFault>(),
        Kind<EpochFault>(),
        Kind<EqualOrderFault>(),
        Kind<GarbageFault>(),
        Kind<HeartbeatFault>(),
        Kind<LateRecordFault>(),
        Kind<RechunkFault>(),
        Kind<RedirectFault>(),
        Kind<ReorderFault>(),
        Kind<ReplayFault>(),
        Kind<SlowHeadersFault>(),
        Kind<StallFault>(),
        Kind<StatusFault>(),
        Kind<TlsFault>(),
        Kind<TruncateFault>(),
        Kind<UnauthorizedFault>(),
    ]);

    private static readonly Dictionary<string, PartKind> ByName = ByType.Values.ToDictionary(
        kind => kind.Name,
        StringComparer.OrdinalIgnoreCase
    );

    /// <summary>All kinds, by name.</summary>
    public static IReadOnlyList<PartKind> All { get; } = [.. ByType.Values.OrderBy(kind => kind.Name, StringComparer.Ordinal)];

    /// <summary>Creates a fault.</summary>
    /// <param name="kind">The kind's name; case does not count.</param>
    /// <param name="parameters">Names as in <see cref="PartKind.Parameters"/>, without regard to case; values as JSON elements, strings or
    /// objects.</param>
    /// <exception cref="ArgumentException">There is no such kind or parameter, or a value does not fit.</exception>
    public static Fault Create(string kind, IEnumerable<KeyValuePair<string, object?>>? parameters = null)
    {
        ArgumentNullException.ThrowIfNull(kind);
        if (!ByName.TryGetValue(kind, out var found))
        {
            throw new ArgumentException(
                $"There is no fault {kind}. Choose one of {string.Join(", ", All.Select(known => known.Name))}.",
                nameof(kind)
            );
        }

        var fault = (Fault)found.Create(parameters ?? []);
        fault.Validate();
        return fault;
    }

    /// <summary>Creates a fault from a JSON object: <c>{"kind":"Cut","atByte":100,"request":2}</c>.</summary>
    /// <param name="json">The object. Its member <c>id</c> is not part of the fault.</param>
    /// <param name="id">The member <c>id</c>; null if there is none.</param>
    /// <exception cref="ArgumentException">There is no such kind or parameter, or a value does not fit.</exception>
    public static Fault Create(JsonElement json, out string? id)
    {
        if (json.ValueKind != JsonValueKind.Object)
            throw new ArgumentException("A fault is a JSON object, such as {\"kind\":\"Cut\",\"atByte\":100}.", nameof(json));
        var parameters = json.EnumerateObject()
            .ToDictionary(member => member.Name, member => (object?)member.Value, StringComparer.OrdinalIgnoreCase);
        if (!parameters.Remove("kind", out var kind) || kind is not JsonElement { ValueKind: JsonValueKind.String } name)
            throw new ArgumentException("A fault needs its kind, as in {\"kind\":\"Cut\"}.", nameof(json));
        id = parameters.Remove("id", out var given) ? given?.ToString() : null;
        return Create(name.GetString()!, parameters);
    }

    private static KeyValuePair<Type, PartKind> Kind<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicProperties)] T>()
        where T : Fault, new() => new(typeof(T), PartKind.Of<T>(typeof(T).Name[..^"Fault".Length]));

    internal static PartKind Of(Fault fault) => ByType[fault.GetType()];
}
