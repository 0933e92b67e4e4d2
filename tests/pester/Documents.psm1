# Reads the examples in documents, and runs them: what a document says is what happens.
#
# In a document's markdown, hidden from who reads it:
#   <!-- not run: why -->     the next block is not run, and its test says why
#   <!-- before: code -->     is run before the next block

$dialects = "$PSScriptRoot/../../examples/dialects"

# The blocks of PowerShell in a markdown file: their heading, the code, and the output shown below it, if any.
function Get-DocumentBlock([string] $Path, [string] $Section) {
    $heading = ''
    $inSection = -not $Section
    $reason = ''
    $before = ''
    $lines = [System.IO.File]::ReadAllLines($Path)
    for ($i = 0; $i -lt $lines.Count; $i++) {
        switch -Regex ($lines[$i]) {
            '^## (.+)$' { $inSection = -not $Section -or $Matches[1] -eq $Section }
            '^#+ (.+)$' { $heading = $Matches[1] }
            '^<!-- not run: (.+) -->$' { $reason = $Matches[1] }
            '^<!-- before: (.+) -->$' { $before = $Matches[1] }
            '^```powershell$' {
                $start = ++$i
                while ($lines[$i] -ne '```') { $i++ }
                $code = ($lines[$start..($i - 1)]) -join "`n"
                # What follows at once, in a plain block, is the output.
                $next = $i + 1
                while ($next -lt $lines.Count -and -not $lines[$next].Trim()) { $next++ }
                $output = $null
                if ($next -lt $lines.Count -and $lines[$next] -match '^```(text)?$') {
                    $i = $start = $next + 1
                    while ($lines[$i] -ne '```') { $i++ }
                    $output = $i -gt $start ? ($lines[$start..($i - 1)]) -join "`n" : ''
                }
                if ($inSection) { @{ Title = $heading; Code = $code; Output = $output; Before = $before; Reason = $reason } }
                $reason = $before = ''
            }
        }
    }
}

# A feed with the five records of the reference feed. It says when it has nothing more.
function Start-ExampleFeed {
    $server = 123..127 |
        ForEach-Object {
            $at = $_ -eq 123 ? 999 : 877 + $_
            [ordered]@{ id = $_; updated_at = $at; deleted_at = $null; ip = '0.0.0.0'; port = 1111 + $_ }
        } |
        Start-LockstepTestServer -Port 0
    $null = $server | Add-LockstepTestFault -Kind Heartbeat -Shape Object -Every 5
    $server
}

# The servers that documents name, played by test servers: where each is in a document, and the name under which the hidden code before a
# block changes it.
$exampleServers = @(
    @{ Name = 'directoryGroups'; Origin = 'https://graph.microsoft.com/v1.0/groups/'; Start = {
            $members = 'u1', 'u2', 'u3' | ForEach-Object { [ordered]@{ '@odata.type' = '#microsoft.graph.user'; id = $_ } }
            [ordered]@{ id = 'g1'; displayName = 'Operations'; 'members@delta' = $members },
                [ordered]@{ id = 'g2'; displayName = 'On call'; 'members@delta' = @($members[0]) } |
                Start-LockstepTestServer -Port 0 -Feed ODataDelta -FeedPath /v1.0/groups/delta -PageSize 2
        }
    }
    @{ Name = 'graph'; Origin = 'https://graph.microsoft.com/'; Start = {
            [ordered]@{ id = 'u1'; displayName = 'Alex Wilber'; mail = 'alex@contoso.com'; accountEnabled = $true },
            [ordered]@{ id = 'u2'; displayName = 'Adele Vance'; mail = $null; accountEnabled = $true },
            [ordered]@{ id = 'u3'; displayName = 'Lee Gu'; mail = 'lee@contoso.com'; accountEnabled = $false } |
                Start-LockstepTestServer -Port 0 -Feed ODataDelta -FeedPath /v1.0/users/delta -PageSize 2
        }
    }
    @{ Name = 'cluster'; Origin = 'http://127.0.0.1:8001/'; Start = {
            [ordered]@{ metadata = @{ name = 'web-1' }; status = @{ phase = 'Pending' } },
                [ordered]@{ metadata = @{ name = 'db-0' }; status = @{ phase = 'Running' } } |
                Start-LockstepTestServer -Port 0 -Feed Kubernetes
        }
    }
    @{ Name = 'github'; Origin = 'https://api.github.com/'; Start = {
            [ordered]@{ id = 1; title = 'Crash at start'; state = 'open' },
                [ordered]@{ id = 2; title = 'Tabs and spaces'; state = 'open' } |
                Start-LockstepTestServer -Port 0 -Feed Rest -FeedPath /repos/PowerShell/PowerShell/issues -Dialect $dialects/github.json
        }
    }
    @{ Name = 'servicenow'; Origin = 'https://x.service-now.com/'; Start = {
            [ordered]@{ sys_id = 'a1'; number = 'INC1' }, [ordered]@{ sys_id = 'b2'; number = 'INC2' } |
                Start-LockstepTestServer -Port 0 -FeedPath /api/now/table/incident -Dialect $dialects/servicenow.json
        }
    }
)

# The code with the origins of the documents' servers replaced by those of test servers, which are started if they are not running yet.
function Use-ExampleServer([string] $Code, [hashtable] $Running) {
    foreach ($example in $exampleServers | Where-Object { $Code.Contains($_.Origin) }) {
        $Running[$example.Name] ??= & $example.Start
        $Code = $Code.Replace($example.Origin, "$($Running[$example.Name].Uri)$(([uri]$example.Origin).AbsolutePath.Substring(1))")
    }
    $Code
}

# Replaces what may differ: larger figures, such as ports, times and rates, and the widths they take. A figure of one digit counts.
function ConvertTo-Shape([string] $Text) {
    $plain = $Text -replace '\e\[[0-9;?]*[a-zA-Z]' -replace '\r'
    (($plain -split "`n").ForEach{
        (($_ -replace '\d{2,}', '#' -replace '(#[.,:-])+#', '#' -replace '-+', '-' -replace '[ \t]+', ' ').Trim())
    }.Where{ $_ }) -join "`n"
}

# Ends what an example left running.
function Stop-Example {
    Get-LockstepServer | Stop-LockstepServer
    Get-LockstepTestServer | Stop-LockstepTestServer
    Get-LockstepServer | Stop-LockstepServer
    Get-LockstepModelListener | Stop-LockstepModelListener
    Get-LockstepModel | Remove-LockstepModel
    Get-LockstepTable | Where-Object IsSession | Remove-LockstepTable
}
