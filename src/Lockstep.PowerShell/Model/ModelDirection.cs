namespace Lockstep;

/// <summary>Which way changes go between a model and a peer.</summary>
public enum ModelDirection
{
    /// <summary>Both ways.</summary>
    Both,

    /// <summary>The model only sends; what the peer has does not come in.</summary>
    SendOnly,

    /// <summary>The model only receives; what it has does not go out.</summary>
    ReceiveOnly,
}
