using System.Management.Automation.Host;
using System.Text;

namespace Lockstep.Terminal;

/// <summary>
/// A terminal's alternate screen, for as long as something is shown on it; afterwards the main screen is restored. On the pipeline thread.
/// </summary>
internal sealed class TerminalScreen : IDisposable
{
    private const string Enter = "\e[?1049h\e[?25l";
    private const string Leave = "\e[?25h\e[?1049l";
    private const string Home = "\e[H";
    private const string ClearLine = "\e[K";
    private const string ClearBelow = "\e[J";

    // Not through the host: without colours (NO_COLOR), it removes the sequences that switch screens.
    private readonly TextWriter _terminal = Console.Out;
    private string _shown = "";

    public TerminalScreen() => _terminal.Write(Enter);

    /// <summary>Whether a host has a terminal that can be drawn on.</summary>
    public static bool IsThere(PSHost host) => !Console.IsOutputRedirected && host.UI is { SupportsVirtualTerminal: true };

    /// <summary>The window's size in characters; a default if the host cannot say.</summary>
    public static (int Width, int Height) SizeOf(PSHost host)
    {
        try
        {
            return host.UI?.RawUI?.WindowSize is { Width: > 0, Height: > 0 } size ? (size.Width, size.Height) : (80, 24);
        }
        catch (HostException)
        {
            return (80, 24);
        }
    }

    /// <summary>Shows these lines, unless they are already shown: an idle table costs nothing, and nothing flickers.</summary>
    public void Show(IReadOnlyList<string> lines)
    {
        var text = new StringBuilder(Home);
        for (var i = 0; i < lines.Count; i++)
            text.Append(lines[i]).Append(ClearLine).Append(i + 1 < lines.Count ? "\r\n" : "");

        var screen = text.Append(ClearBelow).ToString();
        if (screen != _shown)
            _terminal.Write(_shown = screen);
    }

    public void Dispose() => _terminal.Write(Leave);
}
