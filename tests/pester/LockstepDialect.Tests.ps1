BeforeAll {
    Import-Module $PSScriptRoot/Support.psm1 -Force

    # A list that changes with each request, on a plain listener: two records, then one of them and a new one.
    # It cannot ask for any free port, so that it tries until it has one.
    $listener = $null
    for ($tries = 1; -not $listener; $tries++) {
        $port = Get-Random -Minimum 20000 -Maximum 32000
        $candidate = [System.Net.HttpListener]::new()
        $candidate.Prefixes.Add("http://127.0.0.1:$port/")
        try {
            $candidate.Start()
            $listener = $candidate
        }
        catch [System.Net.HttpListenerException] { if ($tries -eq 20) { throw } }
    }

    $uri = "http://127.0.0.1:$port/incident"
    $answering = Start-ThreadJob -ScriptBlock {
        $listener = $using:listener
        $count = 0
        try {
            while ($listener.IsListening) {
                $context = $listener.GetContext()
                $count++
                $records = $count -le 2 ? '{"sys_id":"a","n":1.50},{"sys_id":"b"}' : '{"sys_id":"a","n":1.50},{"sys_id":"c"},{"sys_id":"d"}'
                $bytes = [Text.Encoding]::UTF8.GetBytes('{"result":[' + $records + ']}')
                $context.Response.ContentType = 'application/json'
                $context.Response.OutputStream.Write($bytes)
                $context.Response.Close()
            }
        }
        catch [System.Net.HttpListenerException] { Write-Verbose 'Stopped.' }
    }
}

AfterAll {
    $listener.Stop()
    $answering | Wait-Job -Timeout 10 | Remove-Job -Force
}

Describe 'Get-LockstepDialect' {
    It 'lists the dialects, by name and wildcard' {
        (Get-LockstepDialect).Name | Should -Contain 'Kubernetes'
        (Get-LockstepDialect O*).Name | Should -Be ODataDelta
        (Get-LockstepDialect Rest).Json | ConvertFrom-Json | ForEach-Object Key | Should -Be id
    }
}

Describe 'A hashtable as a dialect' {
    It 'shows what it reads, reads it, and is kept in the table' {
        $dialect = @{ From = 'Rest'; Items = 'result'; Key = 'sys_id' }
        $step = Test-LockstepDialect $uri $dialect
        $step.Items, $step.Place, $step.FirstKey, $step.FirstRecord | Should -Be 2, result, a, '{"sys_id":"a","n":1.50}'

        $first = Sync-LockstepTable $uri -Path TestDrive:/incident.db -Dialect $dialect
        $second = Sync-LockstepTable $uri -Path TestDrive:/incident.db
        $first.Added, $second.Added, $second.Deleted | Should -Be 2, 2, 1
        (Get-LockstepTable -Path TestDrive:/incident.db).Dialect | Should -Be (Get-LockstepTable -Path TestDrive:/incident.db).DialectName
        (Get-LockstepRecord -Path TestDrive:/incident.db | Sort-Object sys_id).sys_id | Should -Be a, c, d
    }

    It 'says which key is none' {
        { Sync-LockstepTable $uri -Path TestDrive:/other.db -Dialect @{ From = 'Rest'; Itmes = 'x' } -ErrorAction Stop } |
            Should -Throw -ErrorId 'DialectFormat*'
    }
}
