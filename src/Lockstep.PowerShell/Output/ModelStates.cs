namespace Lockstep;

/// <summary>What a <see cref="ModelInfo"/> shows, read live: the session's model, without its internals. Any thread.</summary>
internal interface IModelState
{
    string Name { get; }

    string Id { get; }

    ModelKind Kind { get; }

    string? Path { get; }

    int Count { get; }

    int PeerCount { get; }

    ModelConnectionInfo[] Connections { get; }

    ModelHold[] Held { get; }

    ModelMissing[] Missing { get; }

    long RefusedCount { get; }

    bool IsRemoved { get; }
}

/// <summary>What a <see cref="ModelConnectionInfo"/> shows. Any thread.</summary>
internal interface IModelConnectionState
{
    string Model { get; }

    Uri Uri { get; }

    ModelDirection Direction { get; }

    bool IsConnected { get; }

    bool IsSynced { get; }

    bool IsEnded { get; }

    int ConnectionCount { get; }

    Exception? LastError { get; }
}

/// <summary>What a <see cref="ModelListenerInfo"/> shows. Any thread.</summary>
internal interface IModelListenerState
{
    Uri Uri { get; }

    string[] Names { get; }

    Uri[] ModelUris { get; }

    bool IsListening { get; }

    int FailureCount { get; }

    Exception? LastError { get; }
}
