using System.Buffers;
using System.Diagnostics;
using System.Net.Sockets;
using Lockstep.Serving.Hosting;
using Lockstep.TestServer.Requests;
using Lockstep.TestServer.Responses;

namespace Lockstep.TestServer.Feeds;

/// <summary>
/// Sends what is added to a feed to all clients that have everything before it: framed once for a crowd of them, the same memory for each,
/// by one loop that writes to their sockets without waiting. A client whose socket does not take all of it leaves, and sees to the rest
/// itself. The crowds take turns, and each gets what there is at its turn: so nobody waits for the sends to all the others as well, and
/// clients have their work spread over time. Thread-safe.
/// </summary>
internal sealed class FanOut(ISharedStream stream, Pulse delivered)
{
    /// <summary>How many clients are sent the same bytes in one go.</summary>
    private const int MostMembers = 128;

    /// <summary>From how many clients on a pause pays: a send costs the same for one record and for those of ten milliseconds.</summary>
    private const int WorthARest = 32;
    private static readonly TimeSpan LeastRest = TimeSpan.FromMilliseconds(1);

    /// <summary>Of one round over all crowds.</summary>
    private static readonly TimeSpan LongestRest = TimeSpan.FromMilliseconds(8);

    private readonly Lock _gate = new();
    private readonly List<Crowd> _crowds = [];

    /// <summary>What the loop waits behind; null while it does not wait.</summary>
    private (int Position, int Heartbeats)? _waiting;
    private uint _turn;
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
    /// <param name="within">How long; it leaves after that time with nothing left to get.</param>
    /// <param name="time">The clock of that.</param>
    /// <param name="cancellationToken">Leaves; what the client got up to then is not known.</param>
    /// <returns>Null if others have got another part of the feed than it has: send it what comes next, and come again.</returns>
    public async Task<Rest?> JoinAsync(
        Socket socket,
        TestRequest entry,
        int position,
        int heartbeats,
        TimeSpan within,
        TimeProvider time,
        CancellationToken cancellationToken
    )
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
        Crowd crowd;
        lock (_gate)
        {
            if (CrowdFor(position, heartbeats) is not { } found)
                return null;
            crowd = found;
            crowd.Members.Add(member);
            if (!_running)
                new Thread(Run) { IsBackground = true, Name = "fan-out" }.Start();
            _running = true;
        }
        try
        {
            return await member.Left.WaitAsync(within, time, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            // Sends are made under the gate, and who did not get all of one has left.
            lock (_gate)
                member.Leave(new Rest(default, member.Position, crowd.Asked.Count, IsGone: false));
            return await member.Left.ConfigureAwait(false);
        }
        finally
        {
            lock (_gate)
                crowd.Members.Remove(member);
        }
    }

    /// <summary>The crowd that a client can join; null when all are ahead of it, or have had other heartbeats.</summary>
    private Crowd? CrowdFor(int position, int heartbeats)
    {
        // The loop would not see what lies before that, also after the last member has left.
        if (_waiting is { } waiting && (position < waiting.Position || heartbeats != waiting.Heartbeats))
            return null;
        var crowd = _crowds
            .Where(crowd => crowd.Position <= position && crowd.Asked.Count == heartbeats)
            .MinBy(static crowd => crowd.Members.Count);
        if (crowd is null && _crowds.Count > 0)
            return null;
        if (crowd?.Members.Count == 0)
            crowd.Position = position;
        else if (crowd is null || crowd.Members.Count >= MostMembers)
            _crowds.Add(crowd = new Crowd(position, heartbeats));
        return crowd;
    }

    /// <summary>
    /// Runs while there are members, and ends when it wakes up to none. On a thread of its own: it rests hundreds of times a second, and a
    /// thread of the pool looks for other work each time, which took a quarter of what the sends take.
    /// </summary>
    private void Run()
    {
        var owed = TimeSpan.Zero;
        (int Position, int Heartbeats) reached = default;
        while (true)
        {
            var began = Stopwatch.GetTimestamp();
            Crowd? crowd;
            var members = 0;
            var crowds = 0;
            lock (_gate)
            {
                crowd = NextCrowd();
                if (crowd is not null)
                {
                    (members, crowds) = (crowd.Members.Count, _crowds.Count);
                    SendTo(crowd);
                    reached = (crowd.Position, crowd.Asked.Count);
                }
                else
                {
                    if (_crowds.Find(static crowd => crowd.Members.Count > 0) is { } there)
                        reached = (there.Position, there.Asked.Count);
                    _waiting = reached;
                }
            }
            if (crowd is null)
            {
                if (!Wait(reached))
                    return;
                var waited = Stopwatch.GetElapsedTime(began);
                owed = waited < owed ? owed - waited : TimeSpan.Zero;
                continue;
            }
            delivered.Raise();
            if (members < WorthARest)
                continue;
            owed += Pause(Stopwatch.GetElapsedTime(began), crowds);
            if (owed < LeastRest)
                continue;
            // By the machine's clock, whatever the feed's clock shows. Timers are late: the next one makes up for what one overslept.
            began = Stopwatch.GetTimestamp();
            Thread.Sleep(owed);
            owed -= Stopwatch.GetElapsedTime(began);
            owed = owed < -LongestRest ? -LongestRest : owed;
        }
    }

    /// <summary>More than half of a core stays free, as long as nobody waits for that longer than the longest rest.</summary>
    private static TimeSpan Pause(TimeSpan took, int crowds)
    {
        var (wanted, most) = (took * 1.5, LongestRest / crowds);
        return wanted < most ? wanted : most;
    }

    /// <summary>The crowd whose turn it is of those that lack something.</summary>
    private Crowd? NextCrowd()
    {
        for (var i = 0; i < _crowds.Count; i++)
        {
            var crowd = _crowds[(int)(_turn++ % (uint)_crowds.Count)];
            if (crowd.Members.Count > 0 && (stream.Count > crowd.Position || stream.HasAsked(crowd.Asked)))
                return crowd;
        }
        return null;
    }

    /// <summary>Waits until there is something to send. False when there is nobody to send it to.</summary>
    private bool Wait((int Position, int Heartbeats) reached)
    {
        AskedHeartbeats asked = new(reached.Heartbeats);
        var heartbeat = stream.NextAsync(reached.Position, asked, CancellationToken.None).GetAwaiter().GetResult();
        lock (_gate)
        {
            _waiting = null;
            _crowds.RemoveAll(static crowd => crowd.Members.Count == 0);
            if (_crowds.Count == 0)
            {
                _running = false;
                return false;
            }
            // One that was asked for, each crowd gets at its turn.
            if (heartbeat is null || asked.Count > reached.Heartbeats)
                return true;
            // After the wait, so that a client that joined meanwhile gets it too.
            foreach (var crowd in _crowds)
                Send(crowd, Frame(heartbeat), crowd.Position);
        }
        delivered.Raise();
        return true;
    }

    private void SendTo(Crowd crowd)
    {
        if (stream.Count > crowd.Position)
        {
            // Up to the first member that already has more, so that what is sent is new to everyone who gets it.
            var from = crowd.Position;
            var end = stream.Count;
            foreach (var member in crowd.Members)
                end = member.Position > from ? Math.Min(end, member.Position) : end;
            var piece = stream.Read(from, end);
            crowd.Position += piece.Records;
            Send(crowd, piece, from);
        }
        else if (stream.Asked(crowd.Asked, crowd.Position) is { } heartbeat)
        {
            Send(crowd, Frame(heartbeat), crowd.Position);
        }
    }

    /// <summary>Goes backwards, so that members that leave can be removed on the way.</summary>
    private static void Send(Crowd crowd, SharedPiece piece, int from)
    {
        (var framed, var payload, var records) = piece;
        var members = crowd.Members;
        for (var i = members.Count - 1; i >= 0; i--)
        {
            var member = members[i];
            if (member.Position > from)
                continue;
            // Counted first, so that a caller that asks when the client has it finds it counted.
            member.Entry.Sent(payload, records);
            var sent = member.Send(framed.Span);
            if (sent < 0)
                member.Entry.Sent(-payload, -records);
            member.Position = crowd.Position;
            member.Entry.LivePosition = sent == framed.Length ? crowd.Position : from;
            if (sent == framed.Length)
                continue;
            members[i] = members[^1];
            members.RemoveAt(members.Count - 1);
            member.Leave(
                sent < 0
                    ? new Rest(default, crowd.Position, crowd.Asked.Count, IsGone: true)
                    : new Rest(framed[sent..].ToArray(), crowd.Position, crowd.Asked.Count, IsGone: false)
            );
        }
    }

    private static SharedPiece Frame(byte[] payload)
    {
        ArrayBufferWriter<byte> framed = new(payload.Length + ChunkFraming.MostBytes);
        ChunkFraming.Write(framed, payload);
        return new SharedPiece(framed.WrittenMemory, payload.Length, 0);
    }

    /// <summary>Clients that are sent the same bytes.</summary>
    private sealed class Crowd(int position, int heartbeats)
    {
        public List<Member> Members { get; } = [];

        /// <summary>The record that comes next.</summary>
        public int Position { get; set; } = position;

        /// <summary>The asked-for heartbeats that it has.</summary>
        public AskedHeartbeats Asked { get; } = new(heartbeats);
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
