using System.Collections;
using System.Data;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Management.Automation;
using System.Management.Automation.Internal;
using System.Net;
using System.Numerics;
using System.Security;
using System.Xml;
using Lockstep.Errors;

namespace Lockstep.Records;

/// <summary>
/// Writes an object from the pipeline as one JSON object in UTF-8: the inverse of <see cref="RecordObjectFactory"/>, independent of
/// culture. Custom objects, instances of PowerShell classes, dictionaries, data rows, XML elements and arrays may be nested, 64 deep as
/// everywhere; any other kind of object is written, by its properties, only as the record itself. One thread at a time.
/// </summary>
internal sealed class RecordSerializer
{
    private const int MaximumDepth = 64;
    private const string IsoTime = "yyyy-MM-dd'T'HH:mm:ss.FFFFFFFK";

    private static readonly HashSet<string> AddedByRemoting = new(StringComparer.OrdinalIgnoreCase)
    {
        "RunspaceId",
        "PSComputerName",
        "PSShowComputerName",
        "PSSourceJobInstanceId",
    };

    private readonly JsonOutput _output = new();

    // The objects being written, each nested in the previous one.
    private readonly List<object> _path = [];

    /// <summary>Writes one record.</summary>
    /// <returns>Its bytes, valid until the next call.</returns>
    /// <exception cref="UnsuitableObjectException">It is not an object, or contains something without a JSON form.</exception>
    public ReadOnlyMemory<byte> Serialize(object? record)
    {
        _output.Clear();
        _path.Clear();
        var value = Unwrap(record);
        if (value is XmlDocument)
            throw new UnsuitableObjectException("The record", "is a whole XML document, not one of its elements");
        if (value is null || (value is IEnumerable && !HasMembers(value)) || Literal(value) is not null || Text(value) is not null)
            throw new UnsuitableObjectException("The record", $"is {Describe(value)}, not an object with properties");

        // A wrapped object keeps its wrapper, which has the properties added to it.
        WriteMembers(HasMembers(value) ? value : record!);
        return _output.Written;
    }

    /// <summary>Writes a value of any kind: null, a number, a text, an array, or an object by its properties.</summary>
    /// <param name="name">Its name in errors.</param>
    /// <param name="given">The value.</param>
    /// <returns>Its bytes, valid until the next call.</returns>
    /// <exception cref="UnsuitableObjectException">It is, or contains, something without a JSON form.</exception>
    public ReadOnlyMemory<byte> SerializeValue(string name, object? given)
    {
        _output.Clear();
        _path.Clear();
        var value = Unwrap(given);
        if (value is null or IEnumerable or SecureString or PSCredential || Literal(value) is not null || Text(value) is not null)
            WriteValue(name, given);
        else
            WriteMembers(given!);

        return _output.Written;
    }

    /// <summary>A time in ISO 8601, as in records.</summary>
    public static string Iso(object time) => ((IFormattable)time).ToString(IsoTime, CultureInfo.InvariantCulture);

    private void WriteValue(string name, object? given)
    {
        var value = Unwrap(given);
        if (value is double or float && !double.IsFinite(Convert.ToDouble(value, CultureInfo.InvariantCulture)))
            throw Unsuitable(name, $"is {Convert.ToString(value, CultureInfo.InvariantCulture)}, which JSON has no number for");

        if (value is SecureString or PSCredential)
            throw Unsuitable(name, "is a secret, and a record is no place for one");

        if ((NumberText.Of(given) ?? Literal(value)) is { } literal)
            _output.Literal(literal);
        else if (Text(value!) is { } text)
            _output.String(text);
        else if (value is PSObject || HasMembers(value) || value!.GetType().Assembly.IsDynamic)
            Within(name, value, () => WriteMembers(value));
        else if (value is IEnumerable elements)
            Within(name, value, () => WriteElements(name, elements));
        else
            throw Unsuitable(name, $"is {Describe(value)}, which has no form as JSON");
    }

    /// <summary>Values that are neither quoted nor objects: numbers, written exactly, and the three literals.</summary>
    private static string? Literal(object? value) =>
        value switch
        {
            null => "null",
            bool flag => flag ? "true" : "false",
            SwitchParameter flag => flag ? "true" : "false",
            Enum => null,
            int
            or long
            or double
            or decimal
            or float
            or byte
            or sbyte
            or short
            or ushort
            or uint
            or ulong
            or Int128
            or UInt128
            or BigInteger => ((IFormattable)value).ToString(null, CultureInfo.InvariantCulture),
            _ => null,
        };

    private static string? Text(object value) =>
        value switch
        {
            string text => text,
            char or Enum or Guid or Uri or Version or IPAddress or ScriptBlock => value.ToString(),
            DateTime or DateTimeOffset => Iso(value),
            DateOnly or TimeOnly => ((IFormattable)value).ToString("O", CultureInfo.InvariantCulture),
            TimeSpan span => span.ToString("c", CultureInfo.InvariantCulture),
            byte[] bytes => Convert.ToBase64String(bytes),
            XmlDocument document => document.OuterXml,
            XmlNode and not XmlElement => ((XmlNode)value).Value ?? ((XmlNode)value).OuterXml,
            _ => null,
        };

    private void Within(string name, object container, Action write)
    {
        if (_path.Exists(outer => ReferenceEquals(outer, container)))
            throw Unsuitable(name, "contains itself");

        if (_path.Count == MaximumDepth)
            throw Unsuitable(name, $"lies more than {MaximumDepth} levels deep");

        write();
    }

    /// <summary>Whether an object is always written by its members, even if .NET treats it as a list.</summary>
    private static bool HasMembers([NotNullWhen(true)] object? value) =>
        value is IDictionary or IDictionary<string, object?> or DataRow or DataRowView or IDataRecord or XmlElement;

    private void WriteMembers(object container)
    {
        _path.Add(container);
        _output.Begin('{');
        foreach (var (name, value) in Members(container))
            WriteMember(name, value);

        _output.End('}');
        _path.RemoveAt(_path.Count - 1);
    }

    private static IEnumerable<(string Name, object? Value)> Members(object container) =>
        container switch
        {
            IDictionary dictionary => dictionary
                .Cast<DictionaryEntry>()
                .Select(entry => (Convert.ToString(Unwrap(entry.Key), CultureInfo.InvariantCulture)!, entry.Value)),
            IDictionary<string, object?> bag => bag.Select(entry => (entry.Key, entry.Value)),
            // By its columns: the row's own properties describe the table around it.
            DataRow row => row.Table.Columns.Cast<DataColumn>().Select(column => (column.ColumnName, (object?)row[column])),
            DataRowView { Row: var row } => Members(row),
            XmlElement element => XmlMembers.Of(element),
            IDataRecord record => Enumerable.Range(0, record.FieldCount).Select(i => (record.GetName(i), (object?)record.GetValue(i))),
            _ => OfProperties(PSObject.AsPSObject(container).Properties),
        };

    private static IEnumerable<(string Name, object? Value)> OfProperties(PSMemberInfoCollection<PSPropertyInfo> properties)
    {
        // Properties that PowerShell adds to an object from a job or another machine are not part of the record.
        var isRemote = properties["RunspaceId"] is { Value: Guid } && properties["PSComputerName"] is not null;
        return properties
            .Where(property => !isRemote || !AddedByRemoting.Contains(property.Name))
            .Select(property => ((property as RenamedFieldProperty)?.Field ?? property.Name, Read(property)));
    }

    private void WriteMember(string name, object? value)
    {
        _output.Name(name);
        WriteValue(name, value);
    }

    private void WriteElements(string name, IEnumerable elements)
    {
        _path.Add(elements);
        _output.Begin('[');
        foreach (var element in elements)
            WriteValue(name, element);

        _output.End(']');
        _path.RemoveAt(_path.Count - 1);
    }

    private static object? Read(PSPropertyInfo property)
    {
        try
        {
            return property.Value;
        }
        catch (GetValueException failed)
        {
            throw Unsuitable(property.Name, $"cannot be read ({failed.Message.TrimEnd('.')})");
        }
    }

    /// <summary>The object behind PowerShell's wrapper; a custom object has none and stays as it is.</summary>
    private static object? Unwrap(object? value) =>
        value switch
        {
            PSObject when value == AutomationNull.Value => null,
            PSObject { BaseObject: PSCustomObject } => value,
            PSObject wrapped => Unwrap(wrapped.BaseObject),
            DBNull => null,
            _ => value,
        };

    private static UnsuitableObjectException Unsuitable(string name, string what) => new($"The property '{name}'", what);

    private static string Describe(object? value) =>
        value switch
        {
            null => "nothing",
            string => "a string",
            IEnumerable and not IDictionary => "an array",
            _ => $"a {value.GetType().Name}",
        };
}
