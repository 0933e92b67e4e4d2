using System.Net;
using System.Net.Sockets;
using System.Text;
using Lockstep.Redis;

namespace Lockstep.Ticks.Tests;

/// <summary>What answers on Redis's port is not a store, or a hostile one: each operation says so, and nothing else happens.</summary>
public sealed class HostileRedisTests
{
    private const string Store =
        "*12\r\n$6\r\nformat\r\n:1\r\n$8\r\nidentity\r\n$1\r\ni\r\n$7\r\nversion\r\n:1\r\n$15\r\ndefault_tick_ms\r\n:1000\r\n"
        + "$13\r\nskew_bound_ms\r\n$1\r\n-\r\n$10\r\nlatency_ms\r\n:0\r\n";

    private const string Time = "*2\r\n:1700000000\r\n:0\r\n";
    private const string Good = $"*3\r\n{Store}{Time}*1\r\n*0\r\n";

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(":5\r\n")]
    [InlineData("+OK\r\n")]
    [InlineData("$-1\r\n")]
    [InlineData("*-1\r\n")]
    [InlineData("*0\r\n")]
    [InlineData($"*1\r\n{Store}")]
    [InlineData($"*2\r\n{Store}{Time}")]
    [InlineData($"*3\r\n{Store}{Time}*0\r\n")]
    [InlineData($"*3\r\n{Store}*0\r\n*1\r\n*0\r\n")]
    [InlineData($"*3\r\n{Store}*2\r\n$3\r\nabc\r\n:0\r\n*1\r\n*0\r\n")]
    [InlineData($"*3\r\n*2\r\n$6\r\nformat\r\n$-1\r\n{Time}*1\r\n*0\r\n")]
    [InlineData($"*3\r\n*2\r\n$-1\r\n$-1\r\n{Time}*1\r\n*0\r\n")]
    [InlineData("$-5\r\n")]
    [InlineData("$99999999999999999999\r\n")]
    [InlineData("*99999999999999\r\n")]
    [InlineData("HTTP/1.1 400 Bad Request\r\n\r\n")]
    public async Task An_answer_that_no_store_gives_is_a_store_that_is_not_available(string answer)
    {
        using var server = new FakeRedis(_ => answer);
        await using var store = new RedisTickStore(server.Uri);

        await Assert.ThrowsAsync<TickStoreUnavailableException>(() => store.ReadAsync("x", Cancelled));
        await Assert.ThrowsAsync<TickStoreUnavailableException>(() => store.ListAsync(Cancelled).ContinueWith(Names, Cancelled).Unwrap());

        // An empty list is an answer to this question.
        static Task<IReadOnlyList<string>> Names(Task<IReadOnlyList<string>> names) =>
            names.IsCompletedSuccessfully
                ? Task.FromException<IReadOnlyList<string>>(new TickStoreUnavailableException("", "", false, null))
                : names;
    }

    [Theory]
    [InlineData(":5\r\n")]
    [InlineData("*0\r\n")]
    [InlineData("*-1\r\n")]
    [InlineData("*1\r\n$3\r\nfoo\r\n")]
    [InlineData("*1\r\n$2\r\nok\r\n")]
    [InlineData("*2\r\n$2\r\nok\r\n*2\r\n:999999999999999999\r\n:0\r\n")]
    [InlineData("*2\r\n$4\r\nwait\r\n:99999999999\r\n")]
    [InlineData("*2\r\n$4\r\nwait\r\n$1\r\nx\r\n")]
    public async Task After_a_change_was_sent_such_an_answer_leaves_its_outcome_unknown(string answer)
    {
        using var server = new FakeRedis(script => script.Contains("XADD", StringComparison.OrdinalIgnoreCase) ? answer : Good);
        await using var store = new RedisTickStore(server.Uri);

        var error = await Assert.ThrowsAsync<TickStoreUnavailableException>(() =>
            new TickEditor(store, "ann").SetAsync("x", "1", cancellationToken: Cancelled)
        );

        Assert.True(error.OutcomeUnknown);
    }

    [Fact]
    public async Task What_a_server_says_is_shortened()
    {
        using var server = new FakeRedis(_ => $"-ERR {new string('a', 100_000)}\r\n");
        await using var store = new RedisTickStore(server.Uri);

        var error = await Assert.ThrowsAsync<TickStoreUnavailableException>(() => store.ReadAsync("x", Cancelled));

        Assert.InRange(error.Message.Length, 100, 1000);
    }

    /// <summary>Speaks Redis's protocol well enough for the driver to connect, and answers scripts as the test says.</summary>
    private sealed class FakeRedis : IDisposable
    {
        private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
        private readonly Func<string, string> _answer;

        public FakeRedis(Func<string, string> answer)
        {
            _answer = answer;
            _listener.Start();
            _ = AcceptAsync();
        }

        public string Uri => $"redis://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}/0";

        public void Dispose() => _listener.Dispose();

        private async Task AcceptAsync()
        {
            try
            {
                while (true)
                    _ = ServeAsync(await _listener.AcceptTcpClientAsync(Cancelled));
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException or OperationCanceledException)
            {
                // The test is over.
            }
        }

        private async Task ServeAsync(TcpClient client)
        {
            using var _ = client;
            using var reader = new StreamReader(client.GetStream(), Encoding.Latin1);
            try
            {
                while (await reader.ReadLineAsync(Cancelled) is { } head)
                {
                    var words = new string[int.Parse(head[1..], null)];
                    for (var i = 0; i < words.Length; i++)
                    {
                        var word = new char[int.Parse((await reader.ReadLineAsync(Cancelled))![1..], null)];
                        await reader.ReadBlockAsync(word, Cancelled);
                        await reader.ReadLineAsync(Cancelled);
                        words[i] = new string(word);
                    }

                    await client.GetStream().WriteAsync(Encoding.Latin1.GetBytes(Reply(words)), Cancelled);
                }
            }
            catch (Exception e) when (e is IOException or ObjectDisposedException or OperationCanceledException)
            {
                // It has disconnected.
            }
        }

        private string Reply(string[] words) =>
            words[0].ToUpperInvariant() switch
            {
                "EVAL" => _answer(words[1]),
                "PING" => "+PONG\r\n",
                "ECHO" => $"${words[1].Length}\r\n{words[1]}\r\n",
                "INFO" => "$13\r\nrole:master\r\n\r\n",
                "CONFIG" => "*0\r\n",
                "CLIENT" or "SELECT" => "+OK\r\n",
                "SUBSCRIBE" => $"*3\r\n$9\r\nsubscribe\r\n${words[1].Length}\r\n{words[1]}\r\n:1\r\n",
                _ => "-ERR unknown command\r\n",
            };
    }
}
