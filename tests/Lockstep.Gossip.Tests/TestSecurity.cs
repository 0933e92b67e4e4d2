using System.Globalization;
using System.Text;
using Lockstep.Gossip.Security;

namespace Lockstep.Gossip.Tests;

/// <summary>Signatures that a test can read: "good:" and the length of the text.</summary>
internal sealed class TestSecurity(string id) : GossipSecurity
{
    public override string Id => id;

    public override string? Scheme => null;

    public HashSet<string> Distrusted { get; } = [];

    public int Signatures { get; private set; }

    public Action? WhileVerifying { get; set; }

    public void Trust(string source)
    {
        Distrusted.Remove(source);
        OnKeysChanged();
    }

    public static string Signed(string name, int value, double timestamp, string source)
    {
        var text = $"[[\"{name}\",{value}],{timestamp.ToString(CultureInfo.InvariantCulture)},\"{source}\"]";
        return text[..^1] + ",\"" + Stamp(Encoding.UTF8.GetBytes(text)) + "\"]";
    }

    public override string Sign(ReadOnlySpan<byte> text)
    {
        Signatures++;
        return Stamp(text);
    }

    public override bool Verify(string source, ReadOnlySpan<byte> text, string signature)
    {
        WhileVerifying?.Invoke();
        return !Distrusted.Contains(source) && signature == Stamp(text);
    }

    private static string Stamp(ReadOnlySpan<byte> text) => "good:" + text.Length.ToString(CultureInfo.InvariantCulture);
}
