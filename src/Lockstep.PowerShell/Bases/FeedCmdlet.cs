using System.Collections;
using System.Management.Automation;
using System.Security;
using System.Security.Cryptography.X509Certificates;
using Lockstep.Parameters;
using Lockstep.Pipeline;

namespace Lockstep.Bases;

/// <summary>The base of the cmdlets that read a feed: how to reach it, with the parameters of <c>Invoke-RestMethod</c>.</summary>
public abstract class FeedCmdlet : LockstepCmdlet
{
    private protected FeedCmdlet() { }

    /// <summary>Where in the request the cursor goes.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [OneOf(typeof(CursorStyle))]
    public CursorStyle CursorStyle { get; set; }

    /// <summary>
    /// Further options for the request's query. A sync continues from the table's cursor, so it refuses options that differ from those that
    /// filled the table: -Resync fetches the whole set with the new ones. Secrets, recognised by their names, may change.
    /// </summary>
    [Parameter]
    public IDictionary? Query { get; set; }

    /// <summary>How many seconds connecting may take, up to the response's headers; 0 for no limit.</summary>
    [Parameter]
    [Alias("TimeoutSec")]
    [ValidateRange(0.0, 2000000.0)]
    public double ConnectionTimeoutSeconds { get; set; } = 30;

    /// <summary>How many seconds a connection may be silent; 0 for no limit.</summary>
    [Parameter]
    [ValidateRange(0.0, 2000000.0)]
    public double OperationTimeoutSeconds { get; set; } = 60;

    /// <summary>Further request headers; they are sent to the feed's own host only.</summary>
    [Parameter]
    public IDictionary? Headers { get; set; }

    /// <summary>User and password for Basic authentication.</summary>
    [Parameter]
    [Credential]
    public PSCredential? Credential { get; set; }

    /// <summary>A bearer token; it takes precedence over user and password.</summary>
    [Parameter]
    [SecretText]
    public SecureString? Token { get; set; }

    /// <summary>Sends credentials over plain http to hosts other than loopback.</summary>
    [Parameter]
    public SwitchParameter AllowUnencryptedAuthentication { get; set; }

    /// <summary>
    /// How to authenticate: Basic needs -Credential, Bearer needs -Token or -TokenProvider. By default whichever of these is given.
    /// </summary>
    [Parameter]
    public FeedAuthentication Authentication { get; set; }

    /// <summary>
    /// Called at the start, and when the feed refuses the credentials (401, 403), with its answer in <c>$_</c>: returns the token to
    /// continue with, as text or SecureString, or a hashtable of Token, Uri and Headers. After three refusals in a row the command fails.
    /// </summary>
    [Parameter]
    public ScriptBlock? TokenProvider { get; set; }

    /// <summary>A client certificate.</summary>
    [Parameter]
    [ValidateNotNull]
    public X509Certificate2? Certificate { get; set; }

    /// <summary>A PEM file of certificates, such as a cluster's or a company's, to trust for the server instead of the system's.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? CertificateAuthority { get; set; }

    /// <summary>Accepts any certificate from the server, including an impostor's.</summary>
    [Parameter]
    public SwitchParameter SkipCertificateCheck { get; set; }

    /// <summary>The proxy to go through; by default the system's.</summary>
    [Parameter]
    public Uri? Proxy { get; set; }

    /// <summary>User and password for the proxy.</summary>
    [Parameter]
    [Credential]
    public PSCredential? ProxyCredential { get; set; }

    /// <summary>Uses the current user's credentials for the proxy.</summary>
    [Parameter]
    public SwitchParameter ProxyUseDefaultCredentials { get; set; }

    /// <summary>Uses no proxy at all.</summary>
    [Parameter]
    public SwitchParameter NoProxy { get; set; }
}
