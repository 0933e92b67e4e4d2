using System.Management.Automation;

namespace Lockstep.Records;

/// <summary>
/// What fields are called as properties of an object. PowerShell does not tell names apart by case, has no empty ones and keeps some
/// for itself: such a field gets the first of the suffixes <c>_2</c>, <c>_3</c>... that makes a name of its own.
/// </summary>
internal sealed class PropertyNames
{
    private static readonly HashSet<string> Reserved = new(
        ["psbase", "psadapted", "psextended", "psobject", "pstypenames"],
        StringComparer.OrdinalIgnoreCase
    );

    private readonly IReadOnlyList<string> _fields;
    private readonly string[] _names;
    private IReadOnlyList<(string Property, int Field)>? _selected;

    public PropertyNames(IReadOnlyList<string> fields)
    {
        _fields = fields;
        // A field that can keep its name keeps it, whatever comes before it.
        _names = [.. fields];
        var taken = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        var others = Enumerable.Range(0, _names.Length).Where(i => !CanKeep(_names[i]) || !taken.Add(_names[i])).ToArray();
        foreach (var i in others)
        {
            var suffix = 2;
            while (!taken.Add($"{fields[i]}_{suffix}"))
                suffix++;

            _names[i] = $"{fields[i]}_{suffix}";
            FirstRenamed ??= (fields[i], _names[i]);
        }
    }

    /// <summary>The first field whose property is called otherwise, if there is one.</summary>
    public (string Field, string Property)? FirstRenamed { get; }

    public string this[int field] => _names[field];

    /// <summary>Whether the property is called otherwise than its field.</summary>
    public bool IsRenamed(int field) => FirstRenamed is not null && !ReferenceEquals(_names[field], _fields[field]);

    /// <summary>What the field is called in the record.</summary>
    public string FieldAt(int field) => _fields[field];

    /// <summary>
    /// The properties that are wanted, each with the position of its field; -1 for one that is not there, as Select-Object does.
    /// Worked out once: the caller always wants the same.
    /// </summary>
    public IReadOnlyList<(string Property, int Field)> Select(IReadOnlyList<string> wanted) => _selected ??= SelectOnce(wanted);

    private List<(string Property, int Field)> SelectOnce(IReadOnlyList<string> wanted)
    {
        var selected = new List<(string Property, int Field)>();
        void Add(string property, int field)
        {
            if (!selected.Exists(other => string.Equals(other.Property, property, StringComparison.OrdinalIgnoreCase)))
                selected.Add((property, field));
        }

        foreach (var name in wanted)
        {
            var pattern = WildcardPattern.Get(name, WildcardOptions.IgnoreCase);
            var matching = Enumerable.Range(0, _names.Length).Where(i => pattern.IsMatch(_names[i])).ToArray();
            foreach (var i in matching)
                Add(_names[i], i);

            if (matching.Length == 0 && CanKeep(name) && !WildcardPattern.ContainsWildcardCharacters(name))
                Add(name, -1);
        }

        return selected;
    }

    private static bool CanKeep(string name) => name.Length > 0 && !Reserved.Contains(name);
}
