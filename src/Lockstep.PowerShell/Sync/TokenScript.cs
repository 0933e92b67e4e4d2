using System.Collections.ObjectModel;
using System.Management.Automation;
using System.Net;
using System.Security;
using Lockstep.Errors;

namespace Lockstep.Sync;

/// <summary>Calls a script that returns a token, as text or SecureString.</summary>
internal static class TokenScript
{
    /// <summary>The token that the script returns last; null where it returns nothing.</summary>
    /// <exception cref="TokenProviderException">The script threw.</exception>
    public static string? Call(Func<Collection<PSObject>> script)
    {
        try
        {
            return script() is not [.., { BaseObject: var token }] ? null
                : token is SecureString secret ? new NetworkCredential("", secret).Password
                : LanguagePrimitives.ConvertTo<string>(token);
        }
        catch (RuntimeException thrown) when (thrown is not PipelineStoppedException)
        {
            throw new TokenProviderException(thrown);
        }
    }
}
