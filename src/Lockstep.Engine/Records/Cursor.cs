using System.Globalization;
using System.Text;

namespace Lockstep.Engine.Records;

/// <summary>
/// Where a feed is to continue. Opaque to the client except for its order: usually an integer, for some servers a string. <see
/// cref="Start"/> asks for the whole set. Immutable.
/// </summary>
public readonly record struct Cursor
{
    private const int LongestShown = 60;
    private readonly string? _text;

    private Cursor(string text) => _text = text;

    /// <summary>The cursor <c>0</c>: everything.</summary>
    public static Cursor Start => default;

    /// <summary>Whether this asks for the whole set.</summary>
    public bool IsStart => _text is null;

    /// <summary>Whether it is a number by JSON's grammar, and so has an order.</summary>
    internal bool IsNumber => AsNumber() is not null;

    /// <summary>A cursor from its text; null, empty and <c>0</c> are <see cref="Start"/>.</summary>
    public static Cursor Parse(string? text) => string.IsNullOrEmpty(text) || text == "0" ? Start : new Cursor(text);

    /// <summary>The cursor that resumes at a record's order value.</summary>
    public static Cursor From(OrderValue value) => Parse(value.ToString());

    /// <summary>
    /// The cursor a window before this one, for feeds whose writers may be late; a cursor that is not a number stays as it is. It never
    /// becomes <see cref="Start"/>, for which a feed may leave out the deleted records.
    /// </summary>
    /// <param name="window">The window in the order field's own units; not negative.</param>
    public Cursor Back(decimal window)
    {
        if (window <= 0 || !decimal.TryParse(_text, NumberStyles.Float, CultureInfo.InvariantCulture, out var value))
            return this;
        return Parse(Math.Max(Math.Min(value, 1), value - window).ToString(CultureInfo.InvariantCulture));
    }

    /// <summary>
    /// Compares cursors as numbers. Others have no order, so the one that came later, the left one, wins.
    /// </summary>
    internal static int Compare(Cursor left, Cursor right)
    {
        if (left == right)
            return 0;
        return left.AsNumber() is { } l && right.AsNumber() is { } r ? OrderValue.Compare(l, r)
            : right.IsStart || !left.IsStart ? 1
            : -1;
    }

    /// <summary>
    /// For display: an address is shown without its query, which may hold secrets (I9), and a long cursor is truncated.
    /// </summary>
    internal string Display
    {
        get
        {
            var text = ToString();
            if (text.Contains("://", StringComparison.Ordinal))
            {
                text = Uri.TryCreate(text, UriKind.Absolute, out var uri)
                    ? $"{uri.Scheme}://{uri.Authority}{uri.AbsolutePath}?..."
                    : "(an address)";
            }

            return text.Length <= LongestShown ? text : text[..LongestShown] + "...";
        }
    }

    /// <summary>The text that goes into a request.</summary>
    public override string ToString() => _text ?? "0";

    private OrderValue? AsNumber()
    {
        var text = Encoding.UTF8.GetBytes(ToString());
        return JsonNumber.IsValid(text) ? OrderValue.FromNumber(text) : null;
    }
}
