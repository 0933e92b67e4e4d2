using System.ComponentModel;
using System.Globalization;
using System.Runtime.CompilerServices;

namespace Lockstep.Engine;

/// <summary>
/// What a user can do next, in words that name options and commands by <see cref="Term"/>: <c>$"Sync again with {Term.Resync}."</c> Each
/// front end renders it in its own words. Immutable once written. To choose between two remedies, cast the first: <c>(Remedy)$"..."</c>;
/// otherwise the compiler takes both for strings, and refuses their terms.
/// </summary>
[InterpolatedStringHandler]
public sealed class Remedy
{
    private readonly List<Part> _parts;

    /// <summary>For the compiler, which turns an interpolated string into a remedy.</summary>
    [EditorBrowsable(EditorBrowsableState.Never)]
    public Remedy(int literalLength, int formattedCount) => _parts = new(literalLength > 0 ? formattedCount * 2 + 1 : formattedCount);

    /// <summary>A remedy that names no option.</summary>
    public static implicit operator Remedy(string text) => FromString(text);

    /// <summary>A remedy that names no option.</summary>
    public static Remedy FromString(string text)
    {
        var remedy = new Remedy(text.Length, 0);
        remedy.AppendLiteral(text);
        return remedy;
    }

    /// <summary>For the compiler.</summary>
    [EditorBrowsable(EditorBrowsableState.Never)]
    public void AppendLiteral(string value) => _parts.Add(new Part(value));

    /// <summary>For the compiler.</summary>
    [EditorBrowsable(EditorBrowsableState.Never)]
    public void AppendFormatted(Term value) => _parts.Add(new Part(value.ApiName, value.Name, value.Value));

    /// <summary>For the compiler.</summary>
    [EditorBrowsable(EditorBrowsableState.Never)]
    public void AppendFormatted<T>(T value, string? format = null) =>
        _parts.Add(new Part(value is IFormattable f ? f.ToString(format, CultureInfo.InvariantCulture) : $"{value}"));

    /// <summary>The text in a front end's words.</summary>
    /// <param name="say">What the front end calls a term, by <see cref="Term.Name"/> and <see cref="Term.Value"/>.</param>
    public string Render(Func<string, string?, string> say) =>
        string.Concat(_parts.Select(part => part.Term is { } term ? say(term, part.Value) : part.Text));

    /// <summary>The text in this library's own words.</summary>
    public override string ToString() => string.Concat(_parts.Select(part => part.Text));

    /// <param name="Text">Plain text, or what a term is called in this library.</param>
    /// <param name="Term">The term's name; null for plain text.</param>
    /// <param name="Value">The term's value.</param>
    private readonly record struct Part(string Text, string? Term = null, string? Value = null);
}
