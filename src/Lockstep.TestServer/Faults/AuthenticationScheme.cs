namespace Lockstep.TestServer.Faults;

/// <summary>A scheme of the header Authorization.</summary>
public enum AuthenticationScheme
{
    /// <summary>A token as it is (RFC 6750).</summary>
    Bearer,

    /// <summary>User and password in base64 (RFC 7617).</summary>
    Basic,
}
