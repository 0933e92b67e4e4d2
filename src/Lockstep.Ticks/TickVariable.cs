using System.Runtime.CompilerServices;
using System.Text.Json;

namespace Lockstep.Ticks;

/// <summary>
/// A variable as a program reads it. <see cref="Get"/> costs a memory read and may be called from any thread, as often as you like; a timer
/// replaces the value at the instant given by the schedule. Obtained from a <see cref="TickLocker"/>, and lives as long as its locker.
/// </summary>
/// <typeparam name="T">The type as which the JSON value is read; use <see cref="JsonElement"/> for any.</typeparam>
public sealed class TickVariable<T> : ITickView
{
    private readonly TickFollower _follower;
    private readonly Func<string, T?> _read;
    private readonly Box _otherwise;
    private volatile Box _current;

    internal TickVariable(TickFollower follower, Func<string, T?> read, T? otherwise)
    {
        _follower = follower;
        _read = read;
        _current = _otherwise = new Box(otherwise);
    }

    /// <summary>The variable's name.</summary>
    public string Name => _follower.Name;

    /// <summary>The variable's state: its schedule, its age, and whether the clocks agree.</summary>
    public TickStatus Status => _follower.Status;

    /// <summary>
    /// The value; if none is active, the default with which the variable was opened, or else the type's default. Takes no lock, allocates
    /// nothing and does no I/O.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public T? Get() => _current.Value;

    /// <inheritdoc/>
    void ITickView.Publish(TickTuple? tuple) => _current = tuple is null ? _otherwise : new Box(_read(tuple.Json));

    /// <summary>Immutable, so that a value of any size is replaced by exchanging one reference.</summary>
    private sealed class Box(T? value)
    {
        public readonly T? Value = value;
    }
}

/// <summary>The value of a variable while none of its values is active, or none can be read.</summary>
internal sealed record TickDefault<T>(T Value);

/// <summary>Receives a follower's active values.</summary>
internal interface ITickView
{
    /// <exception cref="JsonException">The value is of another type.</exception>
    /// <exception cref="NotSupportedException">The type cannot be read from JSON.</exception>
    void Publish(TickTuple? tuple);
}
