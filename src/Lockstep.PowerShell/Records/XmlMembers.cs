using System.Xml;

namespace Lockstep.Records;

/// <summary>
/// An XML element as an object, as PowerShell shows it: a member for each attribute and each kind of child. .NET's own properties of an
/// element, such as its parent, are not included.
/// </summary>
internal static class XmlMembers
{
    private const string Text = "#text";

    /// <summary>The members in order of first occurrence; those with the same name form an array.</summary>
    public static IEnumerable<(string Name, object? Value)> Of(XmlElement element) =>
        element
            .Attributes.Cast<XmlAttribute>()
            .Select(attribute => (attribute.Name, Value: (object?)attribute.Value))
            .Concat(element.ChildNodes.Cast<XmlNode>().Select(Child).OfType<(string Name, object? Value)>())
            .GroupBy(member => member.Name, member => member.Value, StringComparer.Ordinal)
            .Select(members => (members.Key, members.ToArray() is [var only] ? only : members.ToArray()));

    /// <summary>An element that contains only text becomes that text; comments and the like are left out.</summary>
    private static (string Name, object? Value)? Child(XmlNode node) =>
        node switch
        {
            XmlElement { HasAttributes: false } child when child.ChildNodes.Cast<XmlNode>().All(IsText) => (child.Name, child.InnerText),
            XmlElement child => (child.Name, child),
            _ => IsText(node) ? (Text, node.Value) : null,
        };

    private static bool IsText(XmlNode node) => node is XmlText or XmlCDataSection;
}
