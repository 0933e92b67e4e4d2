using System.Runtime.CompilerServices;
using System.Threading.Channels;

namespace Lockstep.Engine.Sync;

/// <summary>
/// Carries steps from the sync's threads to the caller who pulls them. It is short, so that a slow consumer slows the feed. Some steps use
/// a handshake: the sync continues when the consumer pulls the next one.
/// </summary>
internal sealed class StepChannel(TimeProvider time)
{
    private const int Capacity = 16;

    /// <summary>The longest time without a step, so that the caller can show progress and notice Ctrl+C.</summary>
    private static readonly TimeSpan Pulse = TimeSpan.FromMilliseconds(250);

    private readonly Channel<Envelope> _channel = Channel.CreateBounded<Envelope>(
        new BoundedChannelOptions(Capacity) { SingleReader = true }
    );

    /// <summary>Hands a step over; returns when there is room.</summary>
    public ValueTask PostAsync(SyncStep step, CancellationToken cancellationToken) =>
        _channel.Writer.WriteAsync(new Envelope(step, null), cancellationToken);

    /// <summary>Hands a step over; returns when the consumer has pulled the next one.</summary>
    public async Task ExchangeAsync(SyncStep step, CancellationToken cancellationToken)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await _channel.Writer.WriteAsync(new Envelope(step, done), cancellationToken).ConfigureAwait(false);
        await done.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Ends the steps, with the error if there is one.</summary>
    public void Complete(Exception? error) => _channel.Writer.TryComplete(error);

    /// <summary>The steps; if none arrives in time, one created by <paramref name="progress"/>.</summary>
    public async IAsyncEnumerable<SyncStep> ReadAsync(Func<SyncStep> progress, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var pulse = time.GetTimestamp();
        Task<bool>? waiting = null;
        while (true)
        {
            if (_channel.Reader.TryRead(out var envelope))
            {
                yield return envelope.Step;
                envelope.Done?.TrySetResult();
                if (time.GetElapsedTime(pulse) < Pulse)
                    continue;
            }
            else
            {
                waiting ??= _channel.Reader.WaitToReadAsync(cancellationToken).AsTask();
                var left = Pulse - time.GetElapsedTime(pulse);
                if (waiting.IsCompleted || (left > TimeSpan.Zero && await waiting.CompletesWithinAsync(left, time).ConfigureAwait(false)))
                {
                    if (!await waiting.ConfigureAwait(false))
                        yield break;
                    waiting = null;
                    continue;
                }
            }

            pulse = time.GetTimestamp();
            yield return progress();
        }
    }

    private readonly record struct Envelope(SyncStep Step, TaskCompletionSource? Done);
}
