using System.Globalization;
using System.IO.Compression;
using Microsoft.AspNetCore.Http;

namespace Lockstep.Serving.Hosting;

/// <summary>
/// Encodes a server's answers as the client requests (RFC 9110, section 12.5.3). Each answer in progress holds up to 300 KB of compressor
/// memory, so their number is limited: beyond it answers are not compressed. Thread-safe.
/// </summary>
internal sealed class ContentCodings(bool isOn)
{
    /// <summary>How many answers may be compressed at once.</summary>
    public const int Most = 64;

    /// <summary>Anything shorter is not compressed.</summary>
    public const int LeastBytes = 1024;

    private int _running;

    /// <summary>A coding for an answer; null for none. Dispose it when the answer has been sent.</summary>
    public Coding? Begin(HttpContext context)
    {
        if (!isOn)
            return null;
        context.Response.Headers.Append("Vary", "Accept-Encoding");
        if (Choose(context.Request.Headers.AcceptEncoding.ToString()) is not { } name)
            return null;
        if (Interlocked.Increment(ref _running) <= Most)
            return new Coding(this, name);
        Interlocked.Decrement(ref _running);
        return null;
    }

    /// <summary>The best coding for a request's header; null for none.</summary>
    public static string? Choose(string accepted)
    {
        if (accepted.Length == 0)
            return null;
        double? br = null,
            gzip = null,
            plain = null,
            any = null;
        foreach (var item in accepted.Split(',', StringSplitOptions.TrimEntries))
        {
            var parts = item.Split(';', StringSplitOptions.TrimEntries);
            var weight = 1.0;
            foreach (var part in parts.Skip(1).Where(part => part.StartsWith("q=", StringComparison.OrdinalIgnoreCase)))
                weight = double.TryParse(part.AsSpan(2), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var q) ? q : 0;

            switch (parts[0].ToLowerInvariant())
            {
                case "br":
                    br = weight;
                    break;
                case "gzip" or "x-gzip":
                    gzip = weight;
                    break;
                case "identity":
                    plain = weight;
                    break;
                case "*":
                    any = weight;
                    break;
            }
        }

        var (ofBr, ofGzip) = (br ?? any ?? 0, gzip ?? any ?? 0);
        if (Math.Max(ofBr, ofGzip) is var best && (best <= 0 || best < (plain ?? 0)))
            return null;
        return ofBr >= ofGzip ? "br" : "gzip";
    }

    /// <summary>The coding of an answer.</summary>
    internal sealed class Coding(ContentCodings all, string name) : IDisposable
    {
        private bool _isDisposed;

        /// <summary>Names the coding in the headers.</summary>
        public void Announce(HttpResponse response) => response.Headers.ContentEncoding = name;

        /// <summary>Compresses what is written to the result; leaves the other stream open.</summary>
        public Stream Compress(Stream output) =>
            name == "br"
                ? new BrotliStream(output, CompressionLevel.Fastest, leaveOpen: true)
                : new GZipStream(output, CompressionLevel.Fastest, leaveOpen: true);

        public void Dispose()
        {
            if (_isDisposed)
                return;
            _isDisposed = true;
            Interlocked.Decrement(ref all._running);
        }
    }
}
