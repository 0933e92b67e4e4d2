namespace Lockstep.TestServer.Faults;

/// <summary>A content coding (RFC 9110, section 8.4.1).</summary>
public enum ContentCoding
{
    /// <summary><c>gzip</c></summary>
    Gzip,

    /// <summary><c>deflate</c>: the zlib format.</summary>
    Deflate,

    /// <summary><c>br</c></summary>
    Brotli,
}
