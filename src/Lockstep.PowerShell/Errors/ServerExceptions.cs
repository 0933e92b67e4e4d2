using Lockstep.Engine;

namespace Lockstep.Errors;

/// <summary>No server was named, and there is not exactly one.</summary>
internal sealed class ServerNotFoundException(IReadOnlyList<Uri> running)
    : LockstepException(
        ErrorKind.NotFound,
        running.Count == 0 ? "No server runs in this session." : $"Several servers run in this session: {string.Join(", ", running)}.",
        running.Count == 0 ? "Start one with Start-LockstepServer." : "Name one with -Server, or pipe it in from Get-LockstepServer."
    );

/// <summary>No server was named, and there is not exactly one.</summary>
internal sealed class TestServerNotFoundException(IReadOnlyList<Uri> running)
    : LockstepException(
        ErrorKind.NotFound,
        running.Count == 0
            ? "No test server runs in this session."
            : $"Several test servers run in this session: {string.Join(", ", running)}.",
        running.Count == 0
            ? "Start one with Start-LockstepTestServer."
            : "Name one with -Server, or pipe it in from Get-LockstepTestServer."
    );
