using Lockstep.Serving;

namespace Lockstep.Cli.Serving;

/// <summary>Turns a configuration's credentials into the server's.</summary>
internal static class ConfiguredCredentials
{
    /// <exception cref="ArgumentException">A secret is missing.</exception>
    public static IReadOnlyList<FeedCredential> Read(IReadOnlyList<CredentialConfig> configured) => [.. configured.SelectMany(Read)];

    private static IEnumerable<FeedCredential> Read(CredentialConfig credential)
    {
        if (credential.User is { } user)
        {
            var password = Secret(credential.PasswordFile, credential.PasswordVariable).TrimEnd('\r', '\n');
            if (password.Length == 0)
                throw new ArgumentException($"The password of the user {user} is empty.");
            return [FeedCredential.Basic(user, password, credential.Feeds)];
        }

        var lines = Secret(credential.TokenFile, credential.TokenVariable).Split('\n');
        FeedCredential[] tokens =
        [
            .. lines
                .Select(line => line.Trim())
                .Where(line => line.Length > 0)
                .Select(line => FeedCredential.Bearer(line, credential.Feeds)),
        ];

        // An empty file meant to keep people out must not let everybody in.
        return tokens.Length > 0 ? tokens : throw new ArgumentException("A credential has no token.");
    }

    private static string Secret(string? file, string? variable)
    {
        if (file is not null)
        {
            try
            {
                return File.ReadAllText(file);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new ArgumentException($"A secret cannot be read: {e.Message}");
            }
        }

        var name =
            variable
            ?? throw new ArgumentException("A credential needs a user with a password, or a token: each from a file or a variable.");
        return Environment.GetEnvironmentVariable(name) ?? throw new ArgumentException($"The environment variable {name} is not set.");
    }
}
