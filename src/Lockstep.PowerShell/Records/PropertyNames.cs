using System.Globalization;
using System.Management.Automation;
using Lockstep.Engine.Records;
using Lockstep.Parameters;

namespace Lockstep.Records;

/// <summary>
/// The names of fields as properties of an object. PowerShell's names ignore case, cannot be empty, and some are reserved; such a field
/// gets the first of the suffixes <c>_2</c>, <c>_3</c>... that makes its name unique.
/// </summary>
internal sealed class PropertyNames
{
    private static readonly HashSet<string> Reserved = new(
        ["psbase", "psadapted", "psextended", "psobject", "pstypenames"],
        StringComparer.OrdinalIgnoreCase
    );

    private readonly IReadOnlyList<string> _fields;
    private readonly string[] _names;
    private readonly Dictionary<string, string> _renamed;
    private IReadOnlyList<SelectedProperty>? _selected;

    /// <param name="fields">The fields of an object.</param>
    /// <param name="table">
    /// The names that fields have in the objects of a table: one whose name another field takes is called the same in an object that lacks
    /// the other. Null if no table is known.
    /// </param>
    public PropertyNames(IReadOnlyList<string> fields, PropertyNames? table = null)
    {
        _fields = fields;
        _renamed = table?._renamed ?? [];
        // A field that can keep its name keeps it, whatever precedes it.
        _names = [.. fields.Select(field => _renamed.GetValueOrDefault(field, field))];
        var taken = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        var others = Enumerable.Range(0, _names.Length).Where(i => !CanKeep(_names[i]) || !taken.Add(_names[i])).ToArray();
        foreach (var i in others)
        {
            var suffix = 2;
            while (!taken.Add($"{fields[i]}_{suffix}"))
                suffix++;

            _names[i] = $"{fields[i]}_{suffix}";
        }

        for (var i = 0; i < _names.Length; i++)
        {
            if (ReferenceEquals(_names[i], fields[i]))
                continue;
            FirstRenamed ??= (fields[i], _names[i]);
            if (table is null)
                _renamed[fields[i]] = _names[i];
        }
    }

    /// <summary>The first field whose property has another name, if any.</summary>
    public (string Field, string Property)? FirstRenamed { get; }

    /// <summary>Whether an object got them all in PowerShell's own way, after which PowerShell looks for them in every object.</summary>
    public bool AreKnown { get; set; }

    public string this[int field] => _names[field];

    /// <summary>Whether the property's name differs from its field's.</summary>
    public bool IsRenamed(int field) => FirstRenamed is not null && !ReferenceEquals(_names[field], _fields[field]);

    /// <summary>The field's name in the record.</summary>
    public string FieldAt(int field) => _fields[field];

    /// <summary>
    /// The wanted properties, each with the position of its field; -1 for one that does not exist, as in Select-Object. Computed once,
    /// because the caller always wants the same.
    /// </summary>
    public IReadOnlyList<SelectedProperty> Select(IReadOnlyList<string> wanted) => _selected ??= SelectOnce(wanted);

    private List<SelectedProperty> SelectOnce(IReadOnlyList<string> wanted)
    {
        var selected = new List<SelectedProperty>();
        bool IsTaken(string property) =>
            selected.Exists(other => string.Equals(other.Property, property, StringComparison.OrdinalIgnoreCase));
        void Add(string property, int field, IReadOnlyList<string>? below = null)
        {
            if (!IsTaken(property))
                selected.Add(new SelectedProperty(property, field, below ?? []));
        }

        foreach (var name in wanted)
        {
            if (FieldPath.IsPointer(name) && FieldPath.IsValid(name) && !_fields.Contains(name))
            {
                // A path into a field keeps its name, if nothing else has it.
                var path = FieldPath.Names(name);
                Add(CanKeep(path[^1]) && !IsTaken(path[^1]) ? path[^1] : name, IndexOf(path[0]), [.. path.Skip(1)]);
                continue;
            }

            // A name as the field spells it means that field, also where another one that differs by case has taken the property.
            if (_renamed.TryGetValue(name, out var property))
            {
                Add(property, IndexOf(name));
                continue;
            }

            var pattern = WildcardPattern.Get(name, PatternOptions.AnyCase);
            var literal = Enumerable
                .Range(0, _names.Length)
                .Where(i => name.Equals(_names[i], StringComparison.OrdinalIgnoreCase))
                .ToArray();
            var matching = literal.Length > 0 ? literal : [.. Enumerable.Range(0, _names.Length).Where(i => pattern.IsMatch(_names[i]))];
            foreach (var i in matching)
                Add(_names[i], i);

            if (matching.Length == 0 && CanKeep(name) && !WildcardPattern.ContainsWildcardCharacters(name))
                Add(name, -1);
        }

        return selected;
    }

    private int IndexOf(string field)
    {
        for (var i = 0; i < _fields.Count; i++)
        {
            if (_fields[i] == field)
                return i;
        }

        return -1;
    }

    private static bool CanKeep(string name) => name.Length > 0 && !Reserved.Contains(name);
}

/// <summary>A wanted property of a record.</summary>
/// <param name="Property">Its name.</param>
/// <param name="Field">The position of its field; -1 if there is none.</param>
/// <param name="Below">The names that lead from the field's value to the wanted one; none for the value itself.</param>
internal readonly record struct SelectedProperty(string Property, int Field, IReadOnlyList<string> Below)
{
    /// <summary>The wanted part of a field's value; null if it has none.</summary>
    public object? Of(object? value)
    {
        foreach (var name in Below)
        {
            value = value switch
            {
                PSObject record => record.Properties[name]?.Value,
                object?[] list when int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out var i) && i < list.Length =>
                    list[i],
                _ => null,
            };
        }

        return value;
    }
}
