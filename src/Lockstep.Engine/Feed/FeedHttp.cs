using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Net.Sockets;
using System.Reflection;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Lockstep.Engine.Feed;

/// <summary>
/// How requests to a feed are sent: proxy, certificates, timeout, and credentials, which go to the feed's own origin only (I9). It does not
/// follow redirects. One thread at a time.
/// </summary>
internal sealed class FeedHttp : IDisposable
{
    /// <summary>How many redirects in a row may be followed.</summary>
    public const int MostRedirects = 10;

    private static readonly string Version =
        typeof(FeedHttp).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "0";

    private readonly TimeProvider _time;
    private readonly CertificateAuthorities _authorities;
    private readonly HttpMessageInvoker _http;

    /// <summary>For other origins, which never see the client certificate; the same client if there is no certificate (I9).</summary>
    private readonly HttpMessageInvoker _elsewhere;

    /// <summary>Prepares; sends nothing yet.</summary>
    /// <param name="options">How to reach the feed.</param>
    /// <param name="time">The clock for the connection timeout; null for the system's.</param>
    /// <param name="decompresses">Whether to ask for a compressed body and decompress it.</param>
    /// <exception cref="ArgumentException">The URI is neither http nor https.</exception>
    /// <exception cref="InvalidOptionException">A header or the token cannot be sent.</exception>
    public FeedHttp(FeedOptions options, TimeProvider? time = null, bool decompresses = false)
    {
        Options = options;
        _time = time ?? TimeProvider.System;
        _ = options.Address;
        RequestHeader.Check(options);
        _authorities = new CertificateAuthorities(options.CertificateAuthority);
        _http = new HttpMessageInvoker(CreateHandler(options, decompresses, options.Certificate), disposeHandler: true);
        _elsewhere = options.Certificate is null
            ? _http
            : new HttpMessageInvoker(CreateHandler(options, decompresses, certificate: null), disposeHandler: true);
    }

    /// <summary>The feed.</summary>
    public FeedUri Uri => Options.Address;

    /// <summary>How it is reached.</summary>
    internal FeedOptions Options { get; private set; }

    /// <summary>
    /// Continues with settings the feed's owner has changed; null leaves a setting unchanged. A new address becomes the feed's own origin.
    /// </summary>
    /// <exception cref="InvalidOptionException">A header or the token cannot be sent.</exception>
    internal void Replace(string? bearerToken, Uri? uri, IReadOnlyList<KeyValuePair<string, string>>? headers)
    {
        var options = Options.With(bearerToken, uri, headers);
        RequestHeader.Check(options);
        Options = options;
    }

    /// <summary>Sends a GET, and returns when the response's headers have arrived.</summary>
    /// <param name="target">What to request; credentials and the user's headers are sent only if it is of the feed's origin.</param>
    /// <param name="addHeaders">Adds further headers; null for none.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="FeedUnreachableException">No answer came, or not in time.</exception>
    /// <exception cref="InsecureCredentialsException">Credentials would go unencrypted over a network.</exception>
    public Task<HttpResponseMessage> GetAsync(Uri target, Action<HttpRequestHeaders>? addHeaders, CancellationToken cancellationToken) =>
        AskAsync(target, addHeaders, body: null, Options.ConnectionTimeout, cancellationToken);

    /// <summary>Sends a GET, or a POST that only reads, which the server may hold for a while before it answers.</summary>
    /// <param name="target">What to request; credentials and the user's headers are sent only if it is of the feed's origin.</param>
    /// <param name="addHeaders">Adds further headers; null for none.</param>
    /// <param name="body">The JSON to post; null for a GET.</param>
    /// <param name="limit">How long the response's headers may take.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="FeedUnreachableException">No answer came, or not in time.</exception>
    /// <exception cref="InsecureCredentialsException">Credentials would go unencrypted over a network.</exception>
    internal async Task<HttpResponseMessage> AskAsync(
        Uri target,
        Action<HttpRequestHeaders>? addHeaders,
        byte[]? body,
        TimeSpan limit,
        CancellationToken cancellationToken
    )
    {
        using var request = new HttpRequestMessage(body is null ? HttpMethod.Get : HttpMethod.Post, target);
        if (body is not null)
            request.Content = new ByteArrayContent(body) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } };
        request.Headers.UserAgent.Add(new ProductInfoHeaderValue("Lockstep", Version));
        addHeaders?.Invoke(request.Headers);
        var isOwn = IsSameOrigin(target);
        if (isOwn)
            AddSecrets(request);

        using var timeout = new CancellationTokenSource(limit, _time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout.Token);
        try
        {
            var response = await (isOwn ? _http : _elsewhere).SendAsync(request, both.Token).ConfigureAwait(false);
            response.RequestMessage ??= request;
            Options.Tap?.Invoke(response);
            return response;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new FeedUnreachableException(
                Uri,
                string.Create(CultureInfo.InvariantCulture, $"there was no answer within {limit.TotalSeconds:0.###} s.")
            );
        }
        catch (HttpRequestException e)
        {
            throw new FeedUnreachableException(Uri, Describe(e), e);
        }
        catch (SocketException e)
        {
            // The server went away between the connection and the request: .NET asks the socket for its remote end point, which is gone.
            throw new FeedUnreachableException(Uri, e.Message, e);
        }
    }

    /// <summary>Where a response redirects to; null if it does not.</summary>
    /// <param name="response">The response.</param>
    /// <param name="target">What was requested.</param>
    /// <exception cref="FeedRedirectException">It leads nowhere, or from https to http.</exception>
    public Uri? RedirectOf(HttpResponseMessage response, Uri target)
    {
        if ((int)response.StatusCode is not (301 or 302 or 303 or 307 or 308))
            return null;
        if (response.Headers.Location is not { } given)
            throw new FeedRedirectException(Uri, "it has no Location.");

        var location = WildcardHost.ToHostOf(new Uri(target, given), target);
        if (location.Scheme is not ("http" or "https"))
            throw new FeedRedirectException(Uri, $"it leads to the scheme '{location.Scheme}'.");
        if (target.Scheme == "https" && location.Scheme == "http")
            throw new FeedRedirectException(Uri, "it leads from https to http.");
        return new UriBuilder(location) { UserName = "", Password = "" }.Uri;
    }

    /// <summary>The error for too many redirects in a row.</summary>
    internal FeedRedirectException TooManyRedirects() =>
        new(Uri, string.Create(CultureInfo.InvariantCulture, $"more than {MostRedirects} times."));

    /// <inheritdoc/>
    public void Dispose()
    {
        _http.Dispose();
        _elsewhere.Dispose();
        _authorities.Dispose();
    }

    /// <summary>Credentials and the user's headers go to the feed's own origin only, whatever a redirect says.</summary>
    private bool IsSameOrigin(Uri target) =>
        target.Scheme == Uri.Location.Scheme
        && target.Port == Uri.Location.Port
        && string.Equals(target.IdnHost, Uri.Location.IdnHost, StringComparison.OrdinalIgnoreCase);

    private void AddSecrets(HttpRequestMessage request)
    {
        foreach ((var name, var value) in Options.Headers)
            request.Headers.TryAddWithoutValidation(name, value);

        var credential = Options.Credential ?? Uri.Credential;
        if (Options.BearerToken is { } token)
        {
            request.Headers.Remove("Authorization");
            request.Headers.TryAddWithoutValidation("Authorization", "Bearer " + token);
        }
        else if (credential is not null)
        {
            request.Headers.Remove("Authorization");
            request.Headers.Authorization = new(
                "Basic",
                Convert.ToBase64String(Encoding.UTF8.GetBytes($"{credential.UserName}:{credential.Password}"))
            );
        }

        var isOpen = Uri.Location.Scheme == "http" && !Uri.Location.IsLoopback;
        if (isOpen && !Options.AllowUnencryptedAuthentication && request.Headers.Contains("Authorization"))
            throw new InsecureCredentialsException(Uri);
    }

    private static string Describe(HttpRequestException e) =>
        e.HttpRequestError switch
        {
            HttpRequestError.NameResolutionError => "its name is not known.",
            HttpRequestError.SecureConnectionError => "the secure connection failed: " + (e.InnerException?.Message ?? e.Message),
            HttpRequestError.ConnectionError => e.InnerException?.Message ?? e.Message,
            _ => e.Message,
        };

    /// <summary>Secrets sent with requests, which must never be shown: a server may repeat them.</summary>
    internal IEnumerable<string> Secrets
    {
        get
        {
            var named = Options.Headers.Concat(Options.Query).Where(pair => SecretNames.Contain(pair.Key)).Select(pair => pair.Value);
            // A header such as Authorization may be repeated without its scheme.
            foreach (var value in named)
            {
                yield return value;
                yield return value[(value.LastIndexOf(' ') + 1)..];
            }

            if (Options.BearerToken is { } token)
                yield return token;
            if ((Options.Credential ?? Uri.Credential) is { } credential)
            {
                yield return credential.Password;
                yield return Convert.ToBase64String(Encoding.UTF8.GetBytes($"{credential.UserName}:{credential.Password}"));
            }

            var inQuery = new List<string>();
            SecretNames.ReplaceValues(
                Uri.Location.Query,
                (_, value) =>
                {
                    inQuery.Add(System.Uri.UnescapeDataString(value));
                    return null;
                }
            );
            foreach (var value in inQuery)
                yield return value;
        }
    }

    /// <summary>Those, and what a link that was requested holds of them: the server that made it may repeat it.</summary>
    internal IEnumerable<string> SecretsOf(HttpResponseMessage response) =>
        response.RequestMessage?.RequestUri is { } requested
            ? Secrets.Concat(LinkSecrets.Of(requested, [.. Options.Query.Select(pair => pair.Value), .. LinkSecrets.Values(Uri.Location)]))
            : Secrets;

    /// <summary>Whether a server has accepted a connection: if it does not answer after that, it is slow or has nothing to say.</summary>
    public bool HasConnected { get; private set; }

    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(context.DnsEndPoint, cancellationToken).ConfigureAwait(false);
            HasConnected = true;
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private SocketsHttpHandler CreateHandler(FeedOptions options, bool decompresses, X509Certificate2? certificate)
    {
        var handler = new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            AutomaticDecompression = decompresses ? DecompressionMethods.All : DecompressionMethods.None,
            ConnectTimeout = options.ConnectionTimeout,
            // An endless body is never drained: a reader that stops wants the connection dropped at once.
            ResponseDrainTimeout = TimeSpan.Zero,
            UseCookies = false,
            // The ids of events are UTF-8 both ways (WHATWG HTML, 9.2.4).
            RequestHeaderEncodingSelector = static (_, _) => Encoding.UTF8,
            ResponseHeaderEncodingSelector = static (name, _) =>
                name.Equals("Last-Event-ID", StringComparison.OrdinalIgnoreCase) ? Encoding.UTF8 : null,
            UseProxy = !options.NoProxy,
            Proxy = options.Proxy,
            ConnectCallback = ConnectAsync,
        };
        _authorities.ApplyTo(handler.SslOptions);
        if (options.SkipCertificateCheck)
        {
            // CA5359: the user asked for this by name.
#pragma warning disable CA5359
            handler.SslOptions.RemoteCertificateValidationCallback = static (_, _, _, _) => true;
#pragma warning restore CA5359
        }

        if (certificate is not null)
            handler.SslOptions.ClientCertificates = [certificate];
        return handler;
    }
}
