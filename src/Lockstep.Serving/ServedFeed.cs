using Lockstep.Engine.Serving;

namespace Lockstep.Serving;

/// <summary>A source that is being served: who reads it, and its newest records.</summary>
internal sealed record ServedFeed(IFeedSource Source, FeedClients Clients, LatestRecords Latest);
