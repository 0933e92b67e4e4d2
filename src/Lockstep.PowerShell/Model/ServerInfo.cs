using Lockstep.Errors;
using Lockstep.Servers;
using Lockstep.Sessions;

namespace Lockstep;

/// <summary>
/// A server of feeds in this process, as <c>Start-LockstepServer</c> returns it. What it says is what is so at the moment of asking.
/// </summary>
public sealed class ServerInfo : ISessionServer<ServerInfo>
{
    internal ServerInfo(RunningFeedServer server) => Server = server;

    /// <summary>Its root, with the port that is really bound; <c>/healthz</c> below it tells whether all feeds can be read.</summary>
    public Uri Uri => Server.Uri;

    /// <summary>The port that is bound.</summary>
    public int Port => Uri.Port;

    /// <summary>What it serves.</summary>
    public ServerFeed[] Feed => Server.Feeds;

    /// <summary>When it was started, in local time.</summary>
    public DateTime StartTime => Server.StartTime;

    /// <summary>Whether it runs and all of its feeds can be read.</summary>
    public bool IsHealthy => IsRunning && Array.TrueForAll(Feed, feed => feed.Error is null);

    /// <summary>False once it was stopped.</summary>
    public bool IsRunning => Server.IsRunning;

    internal RunningFeedServer Server { get; }

    Task ISessionServer<ServerInfo>.StopAsync() => Server.StopAsync();

    static Exception ISessionServer<ServerInfo>.NotOne(IReadOnlyList<ServerInfo> running) =>
        new ServerNotFoundException([.. running.Select(server => server.Uri)]);

    /// <summary>The server's root.</summary>
    public override string ToString() => Uri.ToString();
}
