namespace Lockstep;

/// <summary>How to authenticate with a feed.</summary>
public enum FeedAuthentication
{
    /// <summary>With what is given: a token, else user and password, else nothing.</summary>
    None = 0,

    /// <summary>With user and password.</summary>
    Basic = 1,

    /// <summary>With a token.</summary>
    Bearer = 2,
}
