using System.Management.Automation;
using System.Text;
using Lockstep.Engine.Records;

namespace Lockstep.Records;

/// <summary>
/// A number that no .NET type can hold with all its digits: its text, marked by the type name <c>Lockstep.Number</c>, so that it becomes a
/// number again when the object is written as a record.
/// </summary>
internal static class NumberText
{
    private const string TypeName = "Lockstep.Number";

    /// <summary>The object for a number in JSON form.</summary>
    public static PSObject Create(string text)
    {
        var number = new PSObject(text);
        number.TypeNames.Insert(0, TypeName);
        return number;
    }

    /// <summary>The number that an object represents, as JSON; null for any other object.</summary>
    public static string? Of(object? value) =>
        value is PSObject { BaseObject: string text } number
        && number.TypeNames.Contains(TypeName)
        && JsonNumber.IsValid(Encoding.UTF8.GetBytes(text))
            ? text
            : null;
}
