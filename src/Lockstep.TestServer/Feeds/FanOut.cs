using System.Buffers;
using System.Diagnostics;
using System.Net.Sockets;
using Lockstep.Serving.Hosting;
using Lockstep.TestServer.Requests;
using Lockstep.TestServer.Responses;

namespace Lockstep.TestServer.Feeds;

/// <summary>
/// Sends what is added to a feed to all clients that have everything before it: framed once, the same memory for each, by one loop that
/// writes to their sockets without waiting. A client whose socket does not take all of it leaves, and sees to the rest itself. Thread-safe.
/// </summary>
internal sealed class FanOut(ScriptedFeedOptions options, RecordLog log, FeedSignals signals, Pulse delivered)
{
    private const int MostRecords = 4096;
    private static readonly TimeSpan WorthARest = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan LongestRest = TimeSpan.FromMilliseconds(8);

    private readonly Lock _gate = new();
    private readonly List<Member> _members = [];
    private readonly FeedRecord[] _batch = new FeedRecord[MostRecords];
    private int _position;
    private int _heartbeats;
    private bool _running;

    /// <summary>What a client still has to get when it leaves.</summary>
    /// <param name="Bytes">Framed bytes whose beginning it got already.</param>
    /// <param name="Position">The record that comes after them.</param>
    /// <param name="Heartbeats">How many of the requested heartbeats it has, including these bytes.</param>
    /// <param name="IsGone">There is nobody left to send to.</param>
    public readonly record struct Rest(ReadOnlyMemory<byte> Bytes, int Position, int Heartbeats, bool IsGone);

    /// <summary>Takes part until the client is too slow or gone, or the wait is cancelled.</summary>
    /// <param name="socket">Nothing else may be sent to it meanwhile.</param>
    /// <param name="entry">Counts what is sent.</param>
    /// <param name="position">The record that the client lacks first.</param>
    /// <param name="heartbeats">How many of the requested heartbeats it has.</param>
    /// <param name="cancellationToken">Leaves; what the client got up to then is not known.</param>
    /// <returns>Null if others have got another part of the feed than it has: send it what comes next, and come again.</returns>
    public async Task<Rest?> JoinAsync(Socket socket, TestRequest entry, int position, int heartbeats, CancellationToken cancellationToken)
    {
        Member member = new(socket, entry, position);
        try
        {
            socket.Blocking = false;
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException)
        {
            // Kestrel closes the socket of a client that leaves, whoever else holds it.
            return new Rest(default, position, heartbeats, IsGone: true);
        }
        lock (_gate)
        {
            // While it runs it may be waiting for what comes behind its position, also after the last member has left: it must not be moved
            // back then.
            if (!_running)
                (_position, _heartbeats) = (position, heartbeats);
            else if (position < _position || heartbeats != _heartbeats)
                return null;
            _members.Add(member);
            if (!_running)
                _ = Task.Run(RunAsync, CancellationToken.None);
            _running = true;
        }
        try
        {
            return await member.Left.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            lock (_gate)
                _members.Remove(member);
        }
    }

    /// <summary>Runs while there are members, and ends when it wakes up to none.</summary>
    private async Task RunAsync()
    {
        AskedHeartbeats asked = new(0);
        while (true)
        {
            int position;
            lock (_gate)
                (position, asked.Count) = (_position, _heartbeats);
            var heartbeat = await signals.NextAsync(position, asked, CancellationToken.None).ConfigureAwait(false);
            var began = Stopwatch.GetTimestamp();
            lock (_gate)
            {
                if (_members.Count == 0)
                {
                    _running = false;
                    return;
                }
                // After the wait, so that a client that joined meanwhile gets it too.
                _heartbeats = asked.Count;
                if (heartbeat is null)
                    SendRecords();
                else
                    Send(Frame(heartbeat), heartbeat.Length, 0, _position);
            }
            delivered.Raise();
            var took = Stopwatch.GetElapsedTime(began);
            // Many clients: what comes during the pause goes out together, and a third of a core stays free. By the machine's clock,
            // whatever the feed's clock shows.
            // the feed's clock shows.
            if (took > WorthARest)
                await Task.Delay(took / 2 < LongestRest ? took / 2 : LongestRest).ConfigureAwait(false);
        }
    }

    private void SendRecords()
    {
        // Up to the first member that already has more, so that what is sent is new to everyone who gets it.
        var end = log.Count;
        foreach (var member in _members)
            end = member.Position > _position ? Math.Min(end, member.Position) : end;
        var count = log.Read(_position, _batch.AsSpan(0, Math.Clamp(end - _position, 0, MostRecords)));
        if (count == 0)
            return;
        ReadOnlySpan<FeedRecord> records = _batch.AsSpan(0, count);
        var control = options.Dialect == ScriptedDialect.Transaction ? signals.Control(ControlLine.Heartbeat) : [];
        var payload = 0;
        foreach (var record in records)
            payload += record.Bytes.Length;
        var chunkEach = options.ChunksEachRecord;
        ArrayBufferWriter<byte> framed = new(payload + control.Length + (ChunkFraming.MostBytes * (chunkEach ? count + 1 : 2)));
        if (!chunkEach)
            ChunkFraming.Begin(framed, payload);
        foreach (var record in records)
        {
            if (chunkEach)
                ChunkFraming.Begin(framed, record.Bytes.Length);
            framed.Write(record.Bytes.Span);
            if (chunkEach)
                ChunkFraming.End(framed);
        }
        if (!chunkEach)
            ChunkFraming.End(framed);
        if (control.Length > 0)
            framed.Write(Frame(control).Span);
        _position += count;
        Send(framed.WrittenMemory, payload + control.Length, count, _position - count);
    }

    /// <summary>Goes backwards, so that members that leave can be removed on the way.</summary>
    private void Send(ReadOnlyMemory<byte> framed, int payload, int records, int from)
    {
        for (var i = _members.Count - 1; i >= 0; i--)
        {
            var member = _members[i];
            if (member.Position > from)
                continue;
            // Counted first, so that a caller that asks when the client has it finds it counted.
            member.Entry.Sent(payload, records);
            var sent = member.Send(framed.Span);
            if (sent < 0)
                member.Entry.Sent(-payload, -records);
            member.Position = _position;
            member.Entry.LivePosition = sent == framed.Length ? _position : from;
            if (sent == framed.Length)
                continue;
            _members[i] = _members[^1];
            _members.RemoveAt(_members.Count - 1);
            member.Leave(
                sent < 0
                    ? new Rest(default, _position, _heartbeats, IsGone: true)
                    : new Rest(framed[sent..], _position, _heartbeats, IsGone: false)
            );
        }
    }

    private static ReadOnlyMemory<byte> Frame(byte[] payload)
    {
        ArrayBufferWriter<byte> framed = new(payload.Length + 16);
        ChunkFraming.Begin(framed, payload.Length);
        framed.Write(payload);
        ChunkFraming.End(framed);
        return framed.WrittenMemory;
    }

    private sealed class Member(Socket socket, TestRequest entry, int position)
    {
        private readonly TaskCompletionSource<Rest?> _left = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public TestRequest Entry { get; } = entry;

        /// <summary>The record that it lacks first; ahead of the others only just after it has joined.</summary>
        public int Position { get; set; } = position;

        public Task<Rest?> Left => _left.Task;

        public void Leave(Rest rest) => _left.TrySetResult(rest);

        /// <returns>How many bytes the socket took; negative if the client is gone.</returns>
        public int Send(ReadOnlySpan<byte> bytes)
        {
            try
            {
                var sent = socket.Send(bytes, SocketFlags.None, out var error);
                return error switch
                {
                    SocketError.Success => sent,
                    SocketError.WouldBlock => 0,
                    _ => -1,
                };
            }
            catch (ObjectDisposedException)
            {
                return -1;
            }
        }
    }
}
