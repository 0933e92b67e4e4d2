using System.Text;
using Lockstep.Engine;

namespace Lockstep.Cli.Output;

/// <summary>
/// The boundary between this program and a terminal: everything is written as <see cref="PlainText"/>. JSON for machines goes directly to
/// standard output, unchanged.
/// </summary>
internal sealed class PlainWriter(TextWriter output) : TextWriter
{
    public override Encoding Encoding => output.Encoding;

    /// <summary>Makes everything written to the console from now on plain.</summary>
    public static void Install()
    {
        Console.SetOut(new PlainWriter(Console.Out));
        Console.SetError(new PlainWriter(Console.Error));
    }

    public override void Write(char value) => Write([value]);

    public override void Write(char[] buffer, int index, int count) => Write(buffer.AsSpan(index, count));

    public override void Write(ReadOnlySpan<char> buffer) => Write(buffer.ToString());

    public override void Write(string? value) => output.Write(value is null ? null : PlainText.Lines(value));

    /// <summary>Writes the line in one piece, so that lines of several threads do not mix.</summary>
    public override void WriteLine(string? value) => Write(value + NewLine);

    public override void Flush() => output.Flush();
}
