using System.Management.Automation;

namespace Lockstep.Parameters;

/// <summary>
/// Replaces a server of this session by its feed. Without it PowerShell would bind the server's property Uri, its root, when the server
/// comes from the pipeline.
/// </summary>
[AttributeUsage(AttributeTargets.Property | AttributeTargets.Field)]
public sealed class FeedOfServerAttribute : ArgumentTransformationAttribute
{
    /// <summary>Turns a server into the URI of its feed; leaves everything else to PowerShell.</summary>
    /// <param name="engineIntrinsics">Not used.</param>
    /// <param name="inputData">The argument.</param>
    public override object Transform(EngineIntrinsics engineIntrinsics, object inputData) =>
        (inputData is PSObject wrapped ? wrapped.BaseObject : inputData) switch
        {
            TestServerInfo server => server.FeedUri,
            ServerInfo { Feed: [var only] } => only.Uri,
            ServerInfo => throw new ArgumentTransformationMetadataException(
                "The server serves several feeds: use one from its property Feed."
            ),
            // PowerShell's own error would show the argument, including a password in it (I9).
            string text when !Uri.TryCreate(text, UriKind.RelativeOrAbsolute, out _) => throw new ArgumentTransformationMetadataException(
                "This is not a URI. A feed's URI begins with http:// or https://."
            ),
            _ => inputData,
        };
}
