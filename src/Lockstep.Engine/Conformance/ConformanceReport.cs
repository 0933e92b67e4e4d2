using System.Globalization;
using System.Text;
using System.Xml;

namespace Lockstep.Engine.Conformance;

/// <summary>What a check of a feed found, rule by rule. Immutable.</summary>
/// <param name="Feed">The feed, without user and password.</param>
/// <param name="StartTime">When the check began.</param>
/// <param name="Duration">How long it took.</param>
/// <param name="Results">The rules in their order.</param>
public sealed record ConformanceReport(string Feed, DateTimeOffset StartTime, TimeSpan Duration, IReadOnlyList<RuleResult> Results)
{
    /// <summary>Whether every rule is kept.</summary>
    public bool Passed => Results.All(result => result.Outcome != RuleOutcome.Failed);

    /// <summary>The report as NUnit 3 writes test results, for build servers.</summary>
    public string ToNUnitXml()
    {
        StringBuilder text = new();
        using (var xml = XmlWriter.Create(text, new XmlWriterSettings { Indent = true, OmitXmlDeclaration = true }))
        {
            Begin(xml, "test-run", "2");
            Begin(xml, "test-suite", "1");
            xml.WriteAttributeString("type", "TestFixture");
            xml.WriteAttributeString("name", Feed);
            xml.WriteAttributeString("fullname", Feed);
            foreach (var result in Results)
                Write(xml, result);
            xml.WriteEndElement();
            xml.WriteEndElement();
        }
        return text.ToString();
    }

    private void Begin(XmlWriter xml, string element, string id)
    {
        xml.WriteStartElement(element);
        xml.WriteAttributeString("id", id);
        xml.WriteAttributeString("result", Passed ? "Passed" : "Failed");
        Count("testcasecount", Results.Count);
        Count("total", Results.Count);
        Count("passed", Results.Count(result => result.Outcome == RuleOutcome.Passed));
        Count("failed", Results.Count(result => result.Outcome == RuleOutcome.Failed));
        Count("skipped", Results.Count(result => result.Outcome == RuleOutcome.Skipped));
        xml.WriteAttributeString("start-time", StartTime.UtcDateTime.ToString("u", CultureInfo.InvariantCulture));
        xml.WriteAttributeString("duration", Duration.TotalSeconds.ToString("0.000", CultureInfo.InvariantCulture));

        void Count(string name, int count) => xml.WriteAttributeString(name, count.ToString(CultureInfo.InvariantCulture));
    }

    private static void Write(XmlWriter xml, RuleResult result)
    {
        xml.WriteStartElement("test-case");
        xml.WriteAttributeString("id", result.Id);
        xml.WriteAttributeString("name", result.Rule);
        xml.WriteAttributeString("fullname", $"{result.Id}: {result.Rule}");
        xml.WriteAttributeString("result", result.Outcome.ToString());
        if (result.Message is not null)
        {
            xml.WriteStartElement(result.Outcome == RuleOutcome.Failed ? "failure" : "reason");
            xml.WriteElementString("message", result.Message);
            xml.WriteEndElement();
        }
        xml.WriteEndElement();
    }
}

/// <summary>The result of one rule.</summary>
/// <param name="Id">Names the rule; it stays the same from version to version.</param>
/// <param name="Rule">The rule, as a sentence.</param>
/// <param name="Outcome">Whether the feed keeps it.</param>
/// <param name="Message">What was seen if it is broken, or why it could not be judged; null if it is kept.</param>
public sealed record RuleResult(string Id, string Rule, RuleOutcome Outcome, string? Message);

/// <summary>The outcome of a rule.</summary>
public enum RuleOutcome
{
    /// <summary>The feed keeps it, as far as could be seen.</summary>
    Passed,

    /// <summary>The feed breaks it.</summary>
    Failed,

    /// <summary>There was nothing to judge it by.</summary>
    Skipped,
}
