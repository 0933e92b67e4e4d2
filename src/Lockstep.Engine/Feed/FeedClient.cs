using System.Globalization;
using System.IO.Compression;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Reflection;
using System.Text;
using Lockstep.Engine.Records;

namespace Lockstep.Engine.Feed;

/// <summary>
/// Asks a feed for its records: cursor, credentials, redirects, compression. It opens one body at a time; what to do when that ends
/// or fails is the caller's to decide. One thread at a time.
/// </summary>
internal sealed class FeedClient : IDisposable
{
    private const int MostRedirects = 10;
    private static readonly string Version = typeof(FeedClient).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "0";

    private readonly TimeProvider _time;
    private readonly HttpMessageInvoker _http;
    private FeedOptions _options;

    public FeedClient(FeedOptions options, TimeProvider time)
    {
        _options = options;
        _time = time;
        Uri = FeedUri.Parse(options.Uri);
        _http = new HttpMessageInvoker(CreateHandler(options), disposeHandler: true);
    }

    /// <summary>The feed.</summary>
    public FeedUri Uri { get; private set; }

    public TimeSpan ConnectionTimeout => _options.ConnectionTimeout;

    public TimeSpan OperationTimeout => _options.OperationTimeout;

    /// <summary>Goes on with another URI or token; the cursor stays.</summary>
    public void Replace(Uri? uri, string? bearerToken)
    {
        _options = _options.With(uri, bearerToken);
        Uri = FeedUri.Parse(_options.Uri);
    }

    /// <summary>Requests the feed from a cursor. A 307 is taken to be a snapshot's address, unless only updates are asked for.</summary>
    /// <exception cref="FeedException">The feed cannot be reached or answers otherwise than with records.</exception>
    public async Task<FeedBody> OpenAsync(Cursor cursor, bool updatesOnly, string? feedIdentity, CancellationToken cancellationToken)
    {
        Uri target = Uri.Request(_options.CursorStyle, cursor, _options.Query, updatesOnly);
        bool isSnapshot = false;
        for (int redirects = 0; redirects <= MostRedirects; redirects++)
        {
            HttpResponseMessage response = await SendAsync(target, feedIdentity, cancellationToken).ConfigureAwait(false);
            if (response.IsSuccessStatusCode) return await ReadAsync(response, target, isSnapshot, cancellationToken).ConfigureAwait(false);

            using (response)
            {
                Uri? location = response.Headers.Location;
                bool isRedirect = (int)response.StatusCode is 301 or 302 or 303 or 307 or 308;
                if (!isRedirect) throw new FeedStatusException(Uri, response.StatusCode, response.ReasonPhrase, RetryAfter(response));
                if (location is null) throw new FeedRedirectException(Uri, "it names no Location.");

                location = new Uri(target, location);
                if (location.Scheme is not ("http" or "https")) throw new FeedRedirectException(Uri, $"it leads to the scheme '{location.Scheme}'.");
                if (target.Scheme == "https" && location.Scheme == "http") throw new FeedRedirectException(Uri, "it leads from https to http.");
                if (response.StatusCode == HttpStatusCode.TemporaryRedirect)
                {
                    if (updatesOnly) throw new FeedRedirectException(Uri, "it answered a request for updates with a snapshot's address.");
                    isSnapshot = true;
                }

                target = new UriBuilder(location) { UserName = "", Password = "" }.Uri;
            }
        }

        throw new FeedRedirectException(Uri, string.Create(CultureInfo.InvariantCulture, $"more than {MostRedirects} times."));
    }

    public void Dispose() => _http.Dispose();

    private async Task<HttpResponseMessage> SendAsync(Uri target, string? feedIdentity, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, target);
        request.Headers.UserAgent.Add(new ProductInfoHeaderValue("Lockstep", Version));
        request.Headers.TryAddWithoutValidation("Accept", "application/x-ndjson, application/json;q=0.9, */*;q=0.5");
        if (!_options.DisableCompression) request.Headers.TryAddWithoutValidation("Accept-Encoding", "gzip, deflate, br");
        if (feedIdentity is not null) request.Headers.TryAddWithoutValidation(WireNames.FeedIdentityHeader, feedIdentity);
        if (IsSameOrigin(target)) AddSecrets(request);

        using var timeout = new CancellationTokenSource(_options.ConnectionTimeout, _time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout.Token);
        try
        {
            return await _http.SendAsync(request, both.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new FeedUnreachableException(Uri, string.Create(CultureInfo.InvariantCulture, $"there was no answer within {_options.ConnectionTimeout.TotalSeconds:0.###} s."));
        }
        catch (HttpRequestException e)
        {
            throw new FeedUnreachableException(Uri, Describe(e), e);
        }
    }

    /// <summary>Credentials and the user's headers go to the feed's own origin only, whatever a redirect says.</summary>
    private bool IsSameOrigin(Uri target) =>
        target.Scheme == Uri.Location.Scheme && target.Port == Uri.Location.Port && string.Equals(target.IdnHost, Uri.Location.IdnHost, StringComparison.OrdinalIgnoreCase);

    private void AddSecrets(HttpRequestMessage request)
    {
        foreach ((string name, string value) in _options.Headers) request.Headers.TryAddWithoutValidation(name, value);

        NetworkCredential? credential = _options.Credential ?? Uri.Credential;
        if (_options.BearerToken is { } token)
        {
            request.Headers.Remove("Authorization");
            request.Headers.TryAddWithoutValidation("Authorization", "Bearer " + token);
        }
        else if (credential is not null)
        {
            request.Headers.Remove("Authorization");
            request.Headers.Authorization = new("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{credential.UserName}:{credential.Password}")));
        }

        bool isOpen = Uri.Location.Scheme == "http" && !Uri.Location.IsLoopback;
        if (isOpen && !_options.AllowUnencryptedAuthentication && request.Headers.Contains("Authorization")) throw new InsecureCredentialsException(Uri);
    }

    private async Task<FeedBody> ReadAsync(HttpResponseMessage response, Uri target, bool isSnapshot, CancellationToken cancellationToken)
    {
        Stream stream;
        try
        {
            stream = await OpenContentAsync(response, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            response.Dispose();
            throw;
        }

        // Only a snapshot that the feed led to is taken page by page: elsewhere a link says nothing about the body.
        bool isPaged = isSnapshot && PagedBody.NextOf(response, target) is not null;
        if (isPaged) stream = new PagedBody(Uri, target, response, stream, FetchPageAsync, OpenContentAsync);

        string? Header(string name) => response.Headers.TryGetValues(name, out IEnumerable<string>? values) || response.Content.Headers.TryGetValues(name, out values)
            ? values.FirstOrDefault() : null;
        return new FeedBody(response, stream, isSnapshot)
        {
            FeedIdentity = Header(WireNames.FeedIdentityHeader),
            InstanceName = Header(WireNames.InstanceNameHeader),
            ExpectedRecords = long.TryParse(Header(WireNames.CountHeader), NumberStyles.None, CultureInfo.InvariantCulture, out long count) ? count : null,
            ContentLength = isPaged ? null : response.Content.Headers.ContentLength,
            HasDefiniteEnd = response.Content.Headers.ContentLength is not null || response.Headers.TransferEncodingChunked == true || response.Version.Major >= 2,
        };
    }

    private async Task<Stream> OpenContentAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        Stream stream = await response.Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
        foreach (string encoding in response.Content.Headers.ContentEncoding.Reverse()) stream = Decode(stream, encoding);
        return stream;
    }

    private async Task<HttpResponseMessage> FetchPageAsync(Uri page, CancellationToken cancellationToken)
    {
        HttpResponseMessage response = await SendAsync(page, null, cancellationToken).ConfigureAwait(false);
        if (response.IsSuccessStatusCode) return response;
        using (response) throw new FeedStatusException(Uri, response.StatusCode, response.ReasonPhrase, RetryAfter(response));
    }

    private Stream Decode(Stream stream, string encoding) =>
        EncodedStream.Open(stream, encoding) ?? throw new FeedCutException(Uri, $"its content encoding '{encoding}' is not known.");

    private TimeSpan? RetryAfter(HttpResponseMessage response) => response.Headers.RetryAfter switch
    {
        { Delta: { } delta } => delta,
        { Date: { } date } => date - _time.GetUtcNow(),
        _ => null,
    };

    private static string Describe(HttpRequestException e) => e.HttpRequestError switch
    {
        HttpRequestError.NameResolutionError => "its name is not known.",
        HttpRequestError.SecureConnectionError => "the secure connection failed: " + (e.InnerException?.Message ?? e.Message),
        HttpRequestError.ConnectionError => e.InnerException?.Message ?? e.Message,
        _ => e.Message,
    };

    private static SocketsHttpHandler CreateHandler(FeedOptions options)
    {
        var handler = new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            AutomaticDecompression = DecompressionMethods.None,
            ConnectTimeout = options.ConnectionTimeout,
            // An endless body is never drained: dropping the connection at once is what a reader that stops wants.
            ResponseDrainTimeout = TimeSpan.Zero,
            UseCookies = false,
            UseProxy = !options.NoProxy,
            Proxy = options.Proxy,
        };
        if (options.SkipCertificateCheck)
        {
            // CA5359: the user has asked for this by name.
#pragma warning disable CA5359
            handler.SslOptions.RemoteCertificateValidationCallback = static (_, _, _, _) => true;
#pragma warning restore CA5359
        }

        if (options.Certificate is { } certificate) handler.SslOptions.ClientCertificates = [certificate];
        return handler;
    }
}
