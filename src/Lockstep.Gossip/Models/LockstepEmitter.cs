using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using Lockstep.Gossip.Clock;
using Lockstep.Gossip.Json;
using Lockstep.Gossip.Nodes;
using Lockstep.Gossip.Wire;

namespace Lockstep.Gossip.Models;

/// <summary>One event.</summary>
/// <param name="Name">The event's name.</param>
/// <param name="Arguments">Its arguments.</param>
/// <param name="Update">The update that carried it: source and time.</param>
public sealed record GossipEvent(string Name, IReadOnlyList<JsonElement> Arguments, GossipUpdate Update);

/// <summary>
/// Reliable events: each is kept, subject to the retention, and replayed once to every node. Compatible with npm <c>scuttlebutt/events</c>.
/// All members may be called from any thread.
/// </summary>
public sealed class LockstepEmitter : GossipNode
{
    private const string FileKind = "events";
    private readonly EventRetention _retention;
    private readonly ArrayBufferWriter<byte> _change = new(256);

    /// <summary>An emitter without events or, if the options name a file, with its events.</summary>
    /// <exception cref="GossipIdentityException">The id cannot be used.</exception>
    /// <exception cref="GossipStoreException">The file cannot be used.</exception>
    public LockstepEmitter(GossipNodeOptions? options = null, EventRetention? retention = null)
        : base(options)
    {
        _retention = retention ?? EventRetention.Everything;
        Retain(_retention);
        OpenFile(FileKind);
    }

    /// <summary>
    /// Whether events named <c>dispose</c> and <c>error</c> may be emitted here. In an npm node the first ends its streams and the second,
    /// if nobody listens for it, the process. Default false. Those from peers are accepted in any case.
    /// </summary>
    public bool AllowReservedNames { get; init; }

    /// <summary>Emits an event with arguments that are serialised as JSON.</summary>
    /// <exception cref="ArgumentException">The name is <c>__proto__</c>, or one of <see cref="AllowReservedNames"/>.</exception>
    [RequiresUnreferencedCode("A trimmed program emits JSON: EmitJson.")]
    [RequiresDynamicCode("A native program emits JSON: EmitJson.")]
    public GossipUpdate Emit(string name, params IReadOnlyList<object?> arguments)
    {
        ArgumentNullException.ThrowIfNull(arguments);
        return EmitJson(
            name,
            [.. arguments.Select(static argument => (ReadOnlyMemory<byte>)JsonSerializer.SerializeToUtf8Bytes(argument))]
        );
    }

    /// <summary>Emits an event with arguments that are already JSON text.</summary>
    /// <exception cref="ArgumentException">The name is <c>__proto__</c>, or one of <see cref="AllowReservedNames"/>.</exception>
    /// <exception cref="JsonException">An argument is not one JSON value.</exception>
    /// <exception cref="GossipChangeException">An argument is nested more than 510 deep, or the event is longer than
    /// <see cref="GossipNodeOptions.MaxUpdateBytes"/>.</exception>
    public GossipUpdate EmitJson(string name, IReadOnlyList<ReadOnlyMemory<byte>> arguments)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(arguments);
        if (name == GossipJson.ForbiddenName)
        {
            throw new ArgumentException("\"__proto__\" is refused as an event's name: choose another.", nameof(name));
        }

        if (name is "dispose" or "error" && !AllowReservedNames)
        {
            throw new ArgumentException(
                $"An event named '{name}' ends the streams of npm's nodes, or the nodes themselves: choose another name.",
                nameof(name)
            );
        }

        using var batch = Batch();
        _change.ResetWrittenCount();
        _change.Write("["u8);
        JavaScriptString.Write(name, _change);
        foreach (var argument in arguments)
        {
            _change.Write(","u8);
            WriteValue(argument.Span, _change);
        }

        _change.Write("]"u8);
        return LocalUpdateOf(_change.WrittenSpan);
    }

    /// <summary>The events kept, in order of time: a copy.</summary>
    public IReadOnlyList<GossipEvent> GetEvents(string? name = null) =>
        [.. GetHistory().Where(static update => update.Misfit is null).Select(ToEvent).Where(e => name is null || e.Name == name)];

    /// <summary>
    /// The events from now on, or all that are kept followed by those, once each; those that arrive together are in order of time.
    /// </summary>
    /// <exception cref="GossipException">Events were forgotten before the consumer read them.</exception>
    public IAsyncEnumerable<GossipEvent> ReceiveAsync(bool includeExisting = false, CancellationToken cancellationToken = default) =>
        WatchUpdatesAsync(includeExisting ? new GossipClock() : null, cancellationToken)
            .Where(static update => update.Misfit is null)
            .Select(ToEvent);

    /// <summary>
    /// An emitter in this process with the same id and events, kept identical at once; each may have streams of its own. It has no file.
    /// Dispose it separately.
    /// </summary>
    public LockstepEmitter Clone() => AdoptClone(new LockstepEmitter(CloneOptions, _retention));

    /// <inheritdoc/>
    protected override bool Apply(GossipUpdate update)
    {
        Keep(update);
        return true;
    }

    private protected override string? MisfitOf(ReadOnlySpan<byte> change, ChangeShape shape)
    {
        if (shape is { Count: > 0, StartsWithName: false })
        {
            throw new GossipProtocolException("\"__proto__\" is refused as an event's name.");
        }

        return shape.Count >= 1 ? null : "An emitter's change must be [\"event\",...].";
    }

    private static GossipEvent ToEvent(GossipUpdate update)
    {
        var reader = new Utf8JsonReader(update.Change.Span, GossipJson.ReaderOptions);
        reader.Read();
        reader.Read();
        var name = GossipJson.ReadName(ref reader);
        var arguments = new List<JsonElement>();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            arguments.Add(JsonElement.ParseValue(ref reader));
        }

        return new GossipEvent(name, arguments, update);
    }
}
