using System.ComponentModel;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Lockstep.TestServer.Faults;

/// <summary>
/// Presents a bad certificate in the TLS handshake. <see cref="Fault.Request"/> and <see cref="Fault.Times"/> count connections. A server
/// without TLS refuses it.
/// </summary>
[Description("Shows a bad certificate in the TLS handshake. Request and Times count connections.")]
public sealed class TlsFault : Fault
{
    private readonly Lock _gate = new();
    private X509Certificate2? _made;

    /// <summary>What is wrong with it. It is self-signed, too, unless the server's own is used.</summary>
    [Description("What is wrong with it, apart from being self-signed. Default: Untrusted (nothing else).")]
    public CertificateProblem Problem { get; init; }

    internal override string Describe() => $"Show a bad certificate ({Problem})";

    internal override void Apply(FaultedResponse response) { }

    internal override void Validate()
    {
        base.Validate();
        if (Path is not null)
            throw new ArgumentException("A handshake knows no path yet. Leave Path out.");
    }

    /// <summary>
    /// Created once per fault, because a key takes time; the names are those of the proper certificate, except where they are the problem.
    /// </summary>
    internal X509Certificate2 Certificate(X509Certificate2 proper)
    {
        lock (_gate)
            return _made ??= Make(proper);
    }

    private X509Certificate2 Make(X509Certificate2 proper)
    {
        var now = TimeProvider.System.GetUtcNow();
        (var from, var to) = Problem switch
        {
            CertificateProblem.Expired => (-20, -10),
            CertificateProblem.NotYetValid => (10, 20),
            _ => (-1, 10),
        };
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var subject = Problem == CertificateProblem.WrongHost ? "CN=wrong-host.invalid" : proper.Subject;
        CertificateRequest request = new(subject, key, HashAlgorithmName.SHA256);
        if (
            Problem != CertificateProblem.WrongHost
            && proper.Extensions.OfType<X509SubjectAlternativeNameExtension>().FirstOrDefault() is { } names
        )
        {
            request.CertificateExtensions.Add(names);
        }

        using var made = request.CreateSelfSigned(now.AddDays(from), now.AddDays(to));
        // Windows wants the key in a store of its own, which a round trip through PKCS #12 creates.
        return X509CertificateLoader.LoadPkcs12(made.Export(X509ContentType.Pkcs12), null);
    }
}

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
