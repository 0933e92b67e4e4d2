using System.Collections.Concurrent;
using System.Globalization;
using System.IO.Compression;
using System.Text;

namespace Lockstep.Engine.Tests.Dialects.Soak;

/// <summary>One request to a server of a soak.</summary>
internal sealed record SoakRequest(string Path, IReadOnlyDictionary<string, string> Query, string Head)
{
    public string? this[string name] => Query.GetValueOrDefault(name);

    public string? Header(string name) =>
        Head.Split("\r\n").FirstOrDefault(line => line.StartsWith(name + ": ", StringComparison.OrdinalIgnoreCase))?[(name.Length + 2)..];

    public static SoakRequest Parse(string head)
    {
        var parts = head.Split(' ')[1].Split('?', 2);
        var query = new Dictionary<string, string>();
        foreach (var pair in (parts.Length > 1 ? parts[1] : "").Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            var sides = pair.Split('=', 2);
            query[Uri.UnescapeDataString(sides[0])] = Uri.UnescapeDataString(sides.Length > 1 ? sides[1] : "");
        }

        return new SoakRequest(Uri.UnescapeDataString(parts[0]), query, head);
    }
}

/// <summary>The answer of a soak server: a whole body, or a stream that continues as <see cref="More"/> says.</summary>
internal sealed record SoakAnswer(string Body, string Headers = "", string Status = "200 OK")
{
    /// <summary>The next part of a stream; null at its end. Called under the server's lock.</summary>
    public Func<string?>? More { get; init; }
}

/// <summary>
/// A server of one dialect whose records change between any two requests, and which fails in every way that servers do, until it is quiet.
/// </summary>
internal abstract class SoakServer : IAsyncDisposable
{
    private readonly Lock _gate = new();
    private readonly RawServer _raw;
    private readonly Dictionary<string, SoakAnswer> _cache = [];
    private readonly TimeSpan _clock;
    private int _kill;
    private Action _killed = static () => { };

    protected SoakServer(int seed)
    {
        Random = new Random(seed);
        Source = new SoakSource(Random);
        // Its clock may be off by a time zone, as those of servers are.
        _clock = TimeSpan.FromHours(
            new Random(seed).Next(3) switch
            {
                0 => -14,
                1 => 14,
                _ => 0,
            }
        );
        _raw = new RawServer(ServeAsync);
    }

    public SoakSource Source { get; protected init; }

    public Uri Root => _raw.Root;

    private const string Moved = "/moved";

    private DateTimeOffset Now => DateTimeOffset.UtcNow + (HasDate ? _clock : default);

    /// <summary>Whether a cache on the way gives an old answer now and then; some protocols cannot show that.</summary>
    protected virtual bool IsCached => true;

    /// <summary>Whether the answers say what time it is at the server.</summary>
    protected virtual bool HasDate => true;

    public abstract string Path { get; }

    /// <summary>The dialect: a name, or a description.</summary>
    public abstract string Dialect { get; }

    /// <summary>Whether a sync must follow to see everything.</summary>
    public virtual bool IsFollowed => false;

    /// <summary>The history so far, for failure messages.</summary>
    public ConcurrentQueue<string> Story { get; } = [];

    protected Random Random { get; }

    protected bool IsQuiet { get; private set; }

    /// <summary>What a table must be, by key.</summary>
    public virtual IEnumerable<string> Expected()
    {
        lock (_gate)
            return [.. Source.Live.Select(pair => SoakSource.Json(pair.Key, pair.Value))];
    }

    /// <summary>What must hold for a table at any time.</summary>
    public virtual void Check(IReadOnlyCollection<string> records) { }

    /// <summary>From now on nothing changes and nothing fails.</summary>
    public void Quiet()
    {
        lock (_gate)
            IsQuiet = true;
    }

    public void Change(int most)
    {
        lock (_gate)
            Source.Change(most);
    }

    /// <summary>At the n-th request from now the client dies.</summary>
    public void KillAt(int request, Action kill)
    {
        lock (_gate)
            (_kill, _killed) = (request, kill);
    }

    public ValueTask DisposeAsync() => _raw.DisposeAsync();

    protected bool Chance(int one) => !IsQuiet && Random.Next(one) == 0;

    /// <summary>Answers a request; call it under the lock.</summary>
    protected abstract SoakAnswer Answer(SoakRequest request);

    /// <summary>What happens to the server between two requests.</summary>
    protected virtual void Befall() { }

    protected T[] Shuffled<T>(IEnumerable<T> items)
    {
        T[] all = [.. items];
        Random.Shuffle(all);
        return all;
    }

    protected static string List(IEnumerable<string> items) => string.Join(',', items);

    private async Task ServeAsync(RawExchange exchange)
    {
        SoakAnswer answer;
        var isCut = false;
        int cut = 0,
            chunk = 0;
        var zips = false;
        Action? kill = null;
        lock (_gate)
        {
            var isMoved = exchange.Head.StartsWith($"GET {Moved}", StringComparison.Ordinal);
            var head = isMoved ? "GET " + exchange.Head[(4 + Moved.Length)..] : exchange.Head;
            var address = head.Split(' ')[1];
            var request = SoakRequest.Parse(head);
            if (!IsQuiet)
            {
                Befall();
                if (Random.Next(2) == 0)
                    Source.Change(3);
            }

            if (_kill > 0 && --_kill == 0)
                kill = _killed;
            if (Chance(14))
                answer = Fault();
            else if (!isMoved && Chance(20))
                answer = Redirect(address);
            else if (IsCached && Chance(20) && _cache.TryGetValue(address, out var cached))
                answer = cached;
            else
                answer = Answer(request);
            if (answer.More is null && answer.Status == "200 OK" && !IsQuiet)
                _cache[address] = answer;
            if (HasDate)
                answer = answer with { Headers = $"{answer.Headers}Date: {Now:R}\r\n" };
            zips =
                answer.More is null
                && Random.Next(3) == 0
                && request.Header("Accept-Encoding")?.Contains("gzip", StringComparison.Ordinal) == true;
            if (Chance(8))
                (isCut, cut) = (true, Random.Next(answer.Body.Length + 1));
            chunk = Random.Next(1, 200);
            Story.Enqueue(
                $"{exchange.Head.Split(' ')[1]} -> {answer.Status} {answer.Headers.ReplaceLineEndings(" ")}"
                    + $"{answer.Body}{(isCut ? $" cut at {cut}" : "")}{(kill is null ? "" : " kill")}"
            );
        }

        if (kill is not null && cut % 2 == 0)
            kill();
        if (answer.More is { } more)
            await StreamAsync(exchange, answer, more, chunk, kill);
        else
            await SendAsync(exchange, answer, isCut ? cut : -1, zips, kill);
    }

    private SoakAnswer Redirect(string address) =>
        new("", $"Location: {Moved}{address}\r\n", Random.Next(2) == 0 ? "302 Found" : "307 Temporary Redirect");

    private SoakAnswer Fault() =>
        Random.Next(9) switch
        {
            4 => new SoakAnswer("<html><body>Log in</body></html>", "Content-Type: text/html\r\n"),
            5 => new SoakAnswer("", "Content-Type: application/json\r\n"),
            6 => new SoakAnswer("", "", "304 Not Modified"),
            7 => new SoakAnswer("{}", "Content-Type: application/json\r\n"),
            8 => new SoakAnswer("", $"Retry-After: {Now:R}\r\n", "503 Service Unavailable"),
            0 => new SoakAnswer("", "Retry-After: 0\r\n", "429 Too Many Requests"),
            1 => new SoakAnswer("", "Retry-After: 0\r\n", "503 Service Unavailable"),
            2 => new SoakAnswer("{\"error\":{\"code\":\"oops\"}}", "Content-Type: application/json\r\n"),
            _ => new SoakAnswer("oops", "", "500 Internal Server Error"),
        };

    private static async Task SendAsync(RawExchange exchange, SoakAnswer answer, int cut, bool zips, Action? kill)
    {
        var body = Encoding.UTF8.GetBytes(answer.Body);
        if (zips)
        {
            using var zipped = new MemoryStream();
            using (var zip = new GZipStream(zipped, CompressionLevel.Fastest, leaveOpen: true))
                zip.Write(body);
            body = zipped.ToArray();
            answer = answer with { Headers = answer.Headers + "Content-Encoding: gzip\r\n" };
        }

        await exchange.SendAsync(
            string.Create(
                CultureInfo.InvariantCulture,
                $"HTTP/1.1 {answer.Status}\r\nConnection: close\r\n{answer.Headers}Content-Length: {body.Length}\r\n\r\n"
            )
        );
        if (cut < 0)
        {
            await exchange.SendAsync(body);
            return;
        }

        await exchange.SendAsync(body[..Math.Min(cut, body.Length)]);
        kill?.Invoke();
        exchange.Reset();
    }

    private async Task StreamAsync(RawExchange exchange, SoakAnswer answer, Func<string?> more, int chunk, Action? kill)
    {
        await exchange.ChunkedAsync(answer.Headers);
        while (true)
        {
            string? text;
            bool breaks;
            lock (_gate)
            {
                text = more();
                breaks = Chance(10);
                Story.Enqueue($"  {text}{(breaks ? " breaks" : "")}");
            }

            if (text is null)
                break;
            if (text.Length == 0)
            {
                await exchange.StallAsync();
                return;
            }

            if (breaks)
                text = text[..(text.Length / 2)];
            for (var at = 0; at < text.Length; at += chunk)
                await exchange.ChunkAsync(text.Substring(at, Math.Min(chunk, text.Length - at)));
            if (breaks)
            {
                kill?.Invoke();
                exchange.Reset();
                return;
            }
        }

        await exchange.LastChunkAsync();
    }
}
