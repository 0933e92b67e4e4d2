namespace Lockstep.Records;

/// <summary>
/// What fields are called as properties of an object. PowerShell does not tell names apart by case, has no empty ones and keeps some
/// for itself: such a field gets the first of the suffixes <c>_2</c>, <c>_3</c>... that makes a name of its own.
/// </summary>
internal sealed class PropertyNames
{
    private static readonly HashSet<string> Reserved =
        new(["psbase", "psadapted", "psextended", "psobject", "pstypenames"], StringComparer.OrdinalIgnoreCase);

    private readonly string[] _names;

    public PropertyNames(IReadOnlyList<string> fields)
    {
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

    private static bool CanKeep(string name) => name.Length > 0 && !Reserved.Contains(name);
}
