namespace Lockstep.TestServer.Faults;

/// <summary>What is wrong with a certificate.</summary>
public enum CertificateProblem
{
    /// <summary>Nobody vouches for it.</summary>
    Untrusted,

    /// <summary>It was valid once.</summary>
    Expired,

    /// <summary>It will be valid later.</summary>
    NotYetValid,

    /// <summary>It is for another host.</summary>
    WrongHost,
}
