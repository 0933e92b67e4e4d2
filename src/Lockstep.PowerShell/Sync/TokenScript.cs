using System.Collections;
using System.Collections.ObjectModel;
using System.Management.Automation;
using System.Net;
using System.Security;
using Lockstep.Engine;
using Lockstep.Engine.Sync;
using Lockstep.Errors;

namespace Lockstep.Sync;

/// <summary>What a script supplies to continue with; null keeps the current value.</summary>
/// <param name="Token">A bearer token.</param>
/// <param name="Uri">The feed's address.</param>
/// <param name="Headers">Headers of the request.</param>
internal sealed record SuppliedAccess(string? Token, Uri? Uri = null, KeyValuePair<string, string>[]? Headers = null);

/// <summary>
/// Calls a script that supplies access to a feed: a token as text or SecureString, or a hashtable of Token, Uri and Headers. Its <c>$_</c>
/// is the refusing answer, null at the start.
/// </summary>
internal static class TokenScript
{
    /// <summary>Answers the engine's question with the script's last return value.</summary>
    /// <exception cref="TokenProviderException">The script threw.</exception>
    /// <exception cref="InvalidOptionException">It returned something invalid.</exception>
    public static void Answer(CredentialsNeeded question, Func<RefusedResponse?, Collection<PSObject>> script)
    {
        var refused = question.Error is { } error
            ? new RefusedResponse((int)error.Status, error.Feed, question.Headers.ToDictionary(StringComparer.OrdinalIgnoreCase))
            : null;
        if (Call(script, refused) is not { } supplied)
            return;
        (question.NewToken, question.NewUri, question.NewHeaders) = (supplied.Token, supplied.Uri, supplied.Headers);
    }

    /// <summary>The script's last return value; null if it returns nothing.</summary>
    /// <inheritdoc cref="Answer"/>
    public static SuppliedAccess? Call(Func<RefusedResponse?, Collection<PSObject>> script, RefusedResponse? refused = null)
    {
        try
        {
            return script(refused) is [.., { } last] ? Read(last) : null;
        }
        catch (RuntimeException thrown) when (thrown is not PipelineStoppedException)
        {
            throw new TokenProviderException(thrown);
        }
    }

    /// <summary>Calls a script block of the cmdlet's own session.</summary>
    public static Func<RefusedResponse?, Collection<PSObject>>? Of(ScriptBlock? script) =>
        script is null ? null : refused => script.InvokeWithContext(null, [new PSVariable("_", refused)]);

    private static SuppliedAccess Read(PSObject returned)
    {
        if (returned.BaseObject is not IDictionary members)
            return new SuppliedAccess(TokenOf(returned.BaseObject));
        SuppliedAccess supplied = new(null);
        foreach (DictionaryEntry member in members)
        {
            supplied = $"{member.Key}".ToUpperInvariant() switch
            {
                "TOKEN" => supplied with { Token = TokenOf(member.Value) },
                "URI" => supplied with { Uri = UriOf(member.Value) },
                "HEADERS" when Unwrap(member.Value) is IDictionary headers => supplied with { Headers = PairsOf(headers) },
                _ => throw Wrong($"'{member.Key}'"),
            };
        }

        return supplied;
    }

    private static string? TokenOf(object? value) =>
        Unwrap(value) is SecureString secret ? new NetworkCredential("", secret).Password : LanguagePrimitives.ConvertTo<string?>(value);

    private static Uri UriOf(object? value) =>
        LanguagePrimitives.TryConvertTo<Uri>(value, out var uri) && uri is { IsAbsoluteUri: true, Scheme: "http" or "https" }
            ? uri
            : throw Wrong("a Uri that begins with neither http:// nor https://");

    private static KeyValuePair<string, string>[] PairsOf(IDictionary headers) =>
        [.. headers.Cast<DictionaryEntry>().Select(pair => KeyValuePair.Create($"{pair.Key}", TokenOf(pair.Value) ?? ""))];

    private static object? Unwrap(object? value) => value is PSObject wrapped ? wrapped.BaseObject : value;

    /// <summary>The returned value is not shown, because it may be secret (I9).</summary>
    private static InvalidOptionException Wrong(string what) =>
        new(
            $"-TokenProvider returned {what}.",
            "Return a token as text or SecureString, or a hashtable of Token, Uri and Headers, of which Headers is a hashtable too."
        );
}
