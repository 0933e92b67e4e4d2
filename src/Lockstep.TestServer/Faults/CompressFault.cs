using System.ComponentModel;
using System.IO.Compression;
using Lockstep.TestServer.Faults.Stages;

namespace Lockstep.TestServer.Faults;

/// <summary>Compresses the body; at a pause of the feed, what there is is flushed through the compressor.</summary>
[Description("Compresses the body.")]
public sealed class CompressFault : Fault
{
    /// <summary>The coding.</summary>
    [Description("The coding. Default: Gzip.")]
    public ContentCoding Coding { get; init; }

    /// <summary>Also for a client that did not ask for it.</summary>
    [Description("Also for a client that did not ask for it.")]
    public bool Forced { get; init; }

    private string Token =>
        Coding switch
        {
            ContentCoding.Gzip => "gzip",
            ContentCoding.Deflate => "deflate",
            _ => "br",
        };

    internal override string Describe() => $"Compress the body ({Token}){(Forced ? ", asked for or not" : "")}";

    internal override void Apply(FaultedResponse response)
    {
        var asked = response
            .Context.Request.Headers.AcceptEncoding.ToString()
            .Split(',')
            .Any(coding => coding.Split(';')[0].Trim().Equals(Token, StringComparison.OrdinalIgnoreCase));
        if (!asked && !Forced)
            return;
        response.ChangeHead(head => head.Headers.ContentEncoding = Token);
        Compress stage = new(Coding);
        response.Context.Response.RegisterForDispose(stage);
        response.AddToBody(stage);
    }

    private sealed class Compress : Stage, IDisposable
    {
        private readonly MemoryStream _output = new();
        private readonly Stream _compressor;
        private int _records;

        public Compress(ContentCoding coding) =>
            _compressor = coding switch
            {
                ContentCoding.Gzip => new GZipStream(_output, CompressionLevel.Fastest, leaveOpen: true),
                ContentCoding.Deflate => new ZLibStream(_output, CompressionLevel.Fastest, leaveOpen: true),
                _ => new BrotliStream(_output, CompressionLevel.Fastest, leaveOpen: true),
            };

        public override ValueTask WriteAsync(Piece piece, CancellationToken cancellationToken)
        {
            _compressor.Write(piece.Bytes.Span);
            _records += piece.Records;
            return default;
        }

        public override async ValueTask FlushAsync(CancellationToken cancellationToken)
        {
            await _compressor.FlushAsync(cancellationToken).ConfigureAwait(false);
            await SendAsync(cancellationToken).ConfigureAwait(false);
            await base.FlushAsync(cancellationToken).ConfigureAwait(false);
        }

        public override async ValueTask EndAsync(CancellationToken cancellationToken)
        {
            await _compressor.DisposeAsync().ConfigureAwait(false);
            await SendAsync(cancellationToken).ConfigureAwait(false);
            await base.EndAsync(cancellationToken).ConfigureAwait(false);
        }

        public void Dispose()
        {
            _compressor.Dispose();
            _output.Dispose();
        }

        private async ValueTask SendAsync(CancellationToken cancellationToken)
        {
            if (_output.Length > 0)
                await Next.WriteAsync(new Piece(_output.ToArray(), PieceKind.Other, _records), cancellationToken).ConfigureAwait(false);
            _output.SetLength(0);
            _records = 0;
        }
    }
}

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
